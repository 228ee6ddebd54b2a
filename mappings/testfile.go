package mappings

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/tools/txtar"

	"signalbox/engine"
)

// What a test's message is where its "message" section does not say otherwise. All of it is fictitious.
const (
	testFrom     = "TESTLA01"
	testWorkflow = "TEST_WORKFLOW"
	testLocalID  = "test-1"
	testReceived = "2026-10-01T02:00:00Z"
)

// readTest makes the message of a test. encodingName is the source's: the readable input is written in it.
func readTest(a *txtar.Archive, encodingName string) (engine.Message, string, error) {
	msg := engine.Message{From: testFrom, WorkflowID: testWorkflow, LocalID: testLocalID}
	msg.Received, _ = time.Parse(time.RFC3339, testReceived)
	want, inputs := "", 0
	for _, f := range a.Files {
		var err error
		switch f.Name {
		case "message":
			err = readTestMessage(&msg, string(f.Data))
		case "want":
			want = string(f.Data)
		case "input":
			msg.Body, err = encode(string(f.Data), encodingName)
			inputs++
		case "input.hex":
			msg.Body, err = hex.DecodeString(strings.Join(strings.Fields(string(f.Data)), ""))
			inputs++
		case "input.base64":
			msg.Body, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(f.Data)), ""))
			inputs++
		default:
			err = fmt.Errorf("a test has the sections message, input, input.hex, input.base64, want")
		}
		if err != nil {
			return msg, "", fmt.Errorf("section %s: %w", f.Name, err)
		}
	}
	if inputs != 1 {
		return msg, "", fmt.Errorf("a test has exactly one of input, input.hex, input.base64")
	}
	msg.Source = "test/" + msg.From
	msg.Upstream = msg.LocalID
	msg.ID = engine.NewMessageID(msg.Source, msg.Upstream)
	return msg, want, nil
}

func readTestMessage(msg *engine.Message, text string) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		var err error
		switch {
		case !ok:
			err = fmt.Errorf("a line is \"key: value\"")
		case key == "from":
			msg.From = value
		case key == "workflow":
			msg.WorkflowID = value
		case key == "localId":
			msg.LocalID = value
		case key == "received":
			msg.Received, err = time.Parse(time.RFC3339, value)
		default:
			err = fmt.Errorf("no key %q: it is one of from, workflow, localId, received", key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// encode writes readable text in a source's encoding.
func encode(text, name string) ([]byte, error) {
	var e encoding.Encoding
	switch strings.ToLower(name) {
	case "", "utf-8", "us-ascii":
		return []byte(text), nil
	case "windows-1252":
		e = charmap.Windows1252
	case "iso-8859-1":
		e = charmap.ISO8859_1
	case "iso-8859-15":
		e = charmap.ISO8859_15
	case "ibm850":
		e = charmap.CodePage850
	case "utf-16", "utf-16le":
		policy := unicode.IgnoreBOM
		if strings.EqualFold(name, "utf-16") {
			policy = unicode.UseBOM
		}
		e = unicode.UTF16(unicode.LittleEndian, policy)
	case "utf-16be":
		e = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	default:
		return nil, fmt.Errorf("text cannot be written in %s: use input.hex or input.base64", name)
	}
	raw, err := e.NewEncoder().String(text)
	if err != nil {
		return nil, fmt.Errorf("a character does not exist in %s", name)
	}
	return []byte(raw), nil
}
