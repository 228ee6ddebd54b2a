package twin

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"signalbox/engine"
)

// unit is one character as it is written. A free one is a letter or a figure and is replaced; any other stays, bad bytes too.
type unit struct {
	raw     []byte
	r       rune
	free    bool
	escaped bool // written as \u00e9
}

// single reports whether every byte of an encoding is a character.
func single(encoding string) bool {
	switch strings.ToLower(encoding) {
	case "windows-1252", "iso-8859-1", "iso-8859-15", "ibm850":
		return true
	}
	return false
}

// wideOrder returns the byte order of a UTF-16 encoding; nil for any other.
func wideOrder(encoding string, body []byte) binary.ByteOrder {
	switch strings.ToLower(encoding) {
	case "utf-16":
		if bytes.HasPrefix(body, []byte{0xfe, 0xff}) {
			return binary.BigEndian
		}
		return binary.LittleEndian
	case "utf-16le":
		return binary.LittleEndian
	case "utf-16be":
		return binary.BigEndian
	}
	return nil
}

func split(raw []byte, escape engine.Escape, wide binary.ByteOrder, single bool) []unit {
	var out []unit
	for len(raw) > 0 {
		u := first(raw, escape, wide, single)
		out = append(out, u)
		raw = raw[len(u.raw):]
	}
	return out
}

func first(raw []byte, escape engine.Escape, wide binary.ByteOrder, single bool) unit {
	switch {
	case wide != nil && len(raw) >= 2:
		r := rune(wide.Uint16(raw))
		return unit{raw: raw[:2], r: r, free: isFree(r)}
	case wide != nil:
		return unit{raw: raw}
	case escape == engine.EscapeXML && raw[0] == '&':
		if n := bytes.IndexByte(raw, ';'); n > 0 {
			return unit{raw: raw[:n+1]}
		}
	case escape == engine.EscapeJSON && raw[0] == '\\' && len(raw) >= 6 && raw[1] == 'u':
		return unit{raw: raw[:6], r: 'é', free: true, escaped: true}
	case escape == engine.EscapeJSON && raw[0] == '\\' && len(raw) >= 2:
		return unit{raw: raw[:2]}
	case strings.HasPrefix(string(escape), string(engine.EscapeHL7)) && strings.HasPrefix(string(raw), string(escape[len(engine.EscapeHL7):])):
		if n := bytes.Index(raw[1:], []byte(escape[len(engine.EscapeHL7):])); n >= 0 {
			return unit{raw: raw[:n+2]}
		}
	case single && raw[0] >= utf8.RuneSelf:
		return unit{raw: raw[:1], r: 'é', free: raw[0] >= 0xC0} // a letter in all of them but the oldest
	}
	r, n := utf8.DecodeRune(raw)
	return unit{raw: raw[:n], r: r, free: isFree(r) && (r != utf8.RuneError || n > 1)}
}

// write writes a made character in the way of the one that it stands for.
func (u unit) write(out *bytes.Buffer, r rune, wide binary.ByteOrder) {
	switch {
	case wide != nil:
		var b [2]byte
		wide.PutUint16(b[:], uint16(r)) // our own characters are all in the first plane
		out.Write(b[:])
	case u.escaped:
		out.WriteString("\\u00e8")
	case len(u.raw) == 1 && r >= utf8.RuneSelf:
		out.WriteByte(0xE8) // one byte a character: a letter with an accent
	default:
		out.WriteRune(r)
	}
}
