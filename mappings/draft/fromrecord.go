package draft

import (
	"errors"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"

	"signalbox/engine"
	"signalbox/mappings"
	"signalbox/mappings/twin"
)

// FromRecord makes a test of one record of a real message: a synthetic twin of it, alone where its format allows that, with an empty want.
func FromRecord(m *mappings.Mapping, msg engine.Message, position int, comment string) ([]byte, error) {
	body, err := alone(m, msg, position)
	if err != nil {
		return nil, err
	}
	msg.Body = body
	if len(body) > sampleBytes {
		return nil, errors.New("test of a record: the message is too long for a test, and its format does not let one record stand alone")
	}
	made, err := twin.Make(m.Adapter(), msg, m.Schema(), twin.Codes(m, msg))
	if err != nil {
		return nil, err
	}
	text, ok := decode(made, m.Schema().Encoding)
	if !ok {
		return nil, errors.New("test of a record: its bytes are not valid in the declared encoding, so it cannot be written as text")
	}
	return txtar.Format(&txtar.Archive{Comment: []byte(comment + "\n"), Files: []txtar.File{
		{Name: "message", Data: []byte("localId: 1\n")}, {Name: "input", Data: []byte(text)}, {Name: "want"},
	}}), nil
}

// alone is a message with one record only, where records stand on lines of their own.
func alone(m *mappings.Mapping, msg engine.Message, position int) ([]byte, error) {
	all := slices.Collect(m.Translate(msg))
	first := int64(len(msg.Body))
	var at engine.Place
	for _, r := range all {
		if r.Place.Record > 0 {
			first = min(first, r.Place.Start)
		}
		if r.Place.Record == position {
			at = r.Place
		}
	}
	switch {
	case at.Record == 0:
		return nil, errors.New("test of a record: the message has no such record")
	case m.Schema().Format != "csv" || strings.HasPrefix(strings.ToLower(m.Schema().Encoding), "utf-16"):
		return msg.Body, nil
	}
	body := append([]byte{}, msg.Body[:first]...)
	return append(append(body, msg.Body[at.Start:at.End]...), '\n'), nil
}
