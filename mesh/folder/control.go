package folder

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxControl is the most bytes of a control file that are read. Real ones have some 1 KB.
const MaxControl = 64 << 10

// Control is the content of a control file. Empty fields are left out when it is written.
type Control struct {
	Version     string // 1.0
	AddressType string // DTS, SMTP or ALL
	MessageType string // Data or Report
	WorkflowID  string
	FromESMTP   string
	FromDTS     string // sender's mailbox id
	ToESMTP     string
	ToDTS       string // recipient's mailbox id
	Subject     string
	LocalID     string
	DTSID       string // the service's message id, once there is one
	ProcessID   string

	// Flags are Y or N; empty means the schema's default.
	Compress      string // the client compresses the transfer; default Y
	AllowChunking string // default Y
	Encrypted     string // default N
	IsCompressed  string // the payload itself is compressed; default N

	DataChecksum string
	PartnerID    string
	Status       *Status
}

// Status is the StatusRecord: what became of the message.
type Status struct {
	DateTime    time.Time // written as yyyyMMddHHmmss, in UTC
	Event       string    // COLLECT, TRANSFER, SEND or RECEIVE
	Status      string    // SUCCESS or ERROR
	StatusCode  string    // 00 is success
	Description string
}

// ErrControl is the kind of every control file that cannot be read. The error says why and quotes nothing of it.
var ErrControl = errors.New("folder: control file")

const (
	root       = "DTSControl"
	statusName = "StatusRecord"
	timeStamp  = "20060102150405"
	yes, no    = "Y", "N"
)

// field is an element and where its text goes.
type field struct {
	name string
	at   func(*Control) *string
}

// fields are the elements in the order of the schema. PartnerId is the name that files in use have for the schema's
// PartnerIdentifier; AllowChunking came after the schema.
func fields() []field {
	return []field{
		{"Version", func(c *Control) *string { return &c.Version }},
		{"AddressType", func(c *Control) *string { return &c.AddressType }},
		{"MessageType", func(c *Control) *string { return &c.MessageType }},
		{"WorkflowId", func(c *Control) *string { return &c.WorkflowID }},
		{"From_ESMTP", func(c *Control) *string { return &c.FromESMTP }},
		{"From_DTS", func(c *Control) *string { return &c.FromDTS }},
		{"To_ESMTP", func(c *Control) *string { return &c.ToESMTP }},
		{"To_DTS", func(c *Control) *string { return &c.ToDTS }},
		{"Subject", func(c *Control) *string { return &c.Subject }},
		{"LocalId", func(c *Control) *string { return &c.LocalID }},
		{"DTSId", func(c *Control) *string { return &c.DTSID }},
		{"ProcessId", func(c *Control) *string { return &c.ProcessID }},
		{"Compress", func(c *Control) *string { return &c.Compress }},
		{"AllowChunking", func(c *Control) *string { return &c.AllowChunking }},
		{"Encrypted", func(c *Control) *string { return &c.Encrypted }},
		{"IsCompressed", func(c *Control) *string { return &c.IsCompressed }},
		{"DataChecksum", func(c *Control) *string { return &c.DataChecksum }},
		{"PartnerId", func(c *Control) *string { return &c.PartnerID }},
	}
}

func statusFields(s *Status, at *string) []struct {
	name string
	text *string
} {
	return []struct {
		name string
		text *string
	}{{"DateTime", at}, {"Event", &s.Event}, {"Status", &s.Status}, {"StatusCode", &s.StatusCode}, {"Description", &s.Description}}
}

// Bytes writes the control file: UTF-8, the schema's order, empty elements left out, one element a line.
func (c Control) Bytes() []byte {
	var b bytes.Buffer
	b.WriteString("<" + root + ">\n")
	for _, f := range fields() {
		element(&b, "  ", f.name, *f.at(&c))
	}
	if s := c.Status; s != nil {
		at := ""
		if !s.DateTime.IsZero() {
			at = s.DateTime.UTC().Format(timeStamp)
		}
		b.WriteString("  <" + statusName + ">\n")
		for _, f := range statusFields(s, &at) {
			element(&b, "    ", f.name, *f.text)
		}
		b.WriteString("  </" + statusName + ">\n")
	}
	b.WriteString("</" + root + ">\n")
	return b.Bytes()
}

func element(b *bytes.Buffer, indent, name, text string) {
	if text == "" {
		return
	}
	b.WriteString(indent + "<" + name + ">")
	_ = xml.EscapeText(b, []byte(text)) // a bytes.Buffer takes everything
	b.WriteString("</" + name + ">\n")
}

// Parse reads a control file leniently: elements in any order, in any case and of any namespace, unknown ones passed over, white
// space around texts dropped, a byte order mark and ISO-8859-1 understood. What is refused: more than MaxControl bytes, a
// document type, bytes after the end, and an element that says two different things.
func Parse(r io.Reader) (Control, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxControl+1))
	if err != nil {
		return Control{}, fmt.Errorf("%w: %w", ErrControl, err)
	}
	if len(raw) > MaxControl {
		return Control{}, fmt.Errorf("%w: is longer than %d bytes", ErrControl, MaxControl)
	}
	p := &parser{values: map[string]string{}}
	p.dec = xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))))
	p.dec.CharsetReader = charset
	if err := p.document(); err != nil {
		return Control{}, fmt.Errorf("%w: %w", ErrControl, err)
	}
	return p.control(), nil
}

// parser gathers the texts of the leaves by their path, in lower case.
type parser struct {
	dec    *xml.Decoder
	values map[string]string
	path   []string
	text   strings.Builder
	ended  bool
}

// maxDepth is one more than the schema needs, for what is passed over.
const maxDepth = 8

func (p *parser) document() error {
	for {
		token, err := p.dec.Token()
		if errors.Is(err, io.EOF) && p.ended {
			return nil
		}
		if err != nil {
			return errors.New("is not well-formed XML") // the decoder's words may quote it
		}
		if err := p.take(token); err != nil {
			return err
		}
	}
}

func (p *parser) take(token xml.Token) error {
	switch t := token.(type) {
	case xml.Directive:
		return errors.New("has a document type, which is not allowed")
	case xml.StartElement:
		name := strings.ToLower(t.Name.Local)
		switch {
		case p.ended:
			return errors.New("has more than one root element")
		case len(p.path) == 0 && name != strings.ToLower(root):
			return errors.New("root element is not " + root)
		case len(p.path) == maxDepth:
			return errors.New("is nested too deep")
		}
		p.path = append(p.path, name)
		p.text.Reset()
	case xml.CharData:
		p.text.Write(t)
	case xml.EndElement:
		return p.end()
	}
	return nil
}

func (p *parser) end() error {
	key, text := strings.Join(p.path[1:], "/"), strings.TrimSpace(p.text.String())
	p.text.Reset()
	p.path = p.path[:len(p.path)-1]
	p.ended = len(p.path) == 0
	if text == "" || p.ended {
		return nil
	}
	if before, twice := p.values[key]; twice && before != text && known(key) {
		return errors.New("an element says two different things")
	}
	p.values[key] = text
	return nil
}

// known reports whether the path is one that is read.
func known(key string) bool {
	if strings.HasPrefix(key, strings.ToLower(statusName)+"/") || key == "partneridentifier" {
		return true
	}
	for _, f := range fields() {
		if strings.ToLower(f.name) == key {
			return true
		}
	}
	return false
}

func (p *parser) control() Control {
	var c Control
	for _, f := range fields() {
		*f.at(&c) = p.values[strings.ToLower(f.name)]
	}
	if c.PartnerID == "" {
		c.PartnerID = p.values["partneridentifier"]
	}
	var s Status
	var at string
	for _, f := range statusFields(&s, &at) {
		*f.text = p.values[strings.ToLower(statusName+"/"+f.name)]
	}
	s.DateTime, _ = time.ParseInLocation(timeStamp, at, time.UTC)
	if s != (Status{}) {
		c.Status = &s
	}
	return c
}

// charset reads the encodings that were seen besides UTF-8.
func charset(label string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-8", "us-ascii", "ascii":
		return r, nil
	case "iso-8859-1", "latin1":
		raw, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		out := make([]byte, 0, len(raw)+16)
		for _, c := range raw {
			out = utf8.AppendRune(out, rune(c))
		}
		return bytes.NewReader(out), nil
	}
	return nil, errors.New("encoding is neither UTF-8 nor ISO-8859-1")
}
