package spool

import (
	"encoding/json"
	"strings"
	"time"
)

// encode writes the record as JSON. An acknowledgement, of which there is one for each message, is written without looking at
// the fields that it does not have, byte for byte as json.Marshal does.
func (r record) encode() ([]byte, error) {
	if r != (record{Op: "ack", At: r.At, ID: r.ID}) || !plain(r.ID) || r.At.IsZero() || r.At.Year() < 0 || r.At.Year() > 9999 || r.At.Location() != time.UTC {
		return json.Marshal(r)
	}
	raw := append(make([]byte, 0, 96+len(r.ID)), `{"op":"ack","at":"`...)
	raw = append(r.At.AppendFormat(raw, time.RFC3339Nano), `","id":"`...)
	return append(append(raw, r.ID...), `"}`...), nil
}

// plain reports whether nothing in an id needs to be escaped.
func plain(id string) bool {
	return id != "" && strings.Trim(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}
