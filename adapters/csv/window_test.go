package csv

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"signalbox/engine"
)

// A file that is read through a window says the same, place for place, as one that is read whole.
func TestWindowReadsAsTheWhole(t *testing.T) {
	var rows strings.Builder
	rows.WriteString("nhs_no,forename,note\r\n")
	for n := range 16_000 {
		switch {
		case n%997 == 0:
			fmt.Fprintf(&rows, "%d,\"Zo\xc3\xab \"\"Z\"\"\",\"two\r\nlines %d\"\r\n", n, n)
		case n%1009 == 0:
			fmt.Fprintf(&rows, "%d,never \"closed,x\r\n\r\n", n)
		case n%4001 == 0:
			fmt.Fprintf(&rows, "%d,bad \xff,x\r\n%s", n, strings.Repeat("\r\n", 3000))
		case n%5003 == 0:
			fmt.Fprintf(&rows, "%d,\"%s\",x\r\n", n, strings.Repeat("long ", MaxRowBytes))
		default:
			fmt.Fprintf(&rows, "%d,Ada,a note of some length %d\r\n", n, n)
		}
	}
	src := engine.Schema{Format: Format, Fields: []engine.Field{{Name: "nhs_no"}, {Name: "forename"}, {Name: "note"}}}
	whole := rows.String()
	quotes := whole + "9,\"never closed,x\r\n" + strings.Repeat("9,Ada,x\r\n", 30_000)
	for name, body := range map[string]string{"whole": whole, "no last line break": strings.TrimSuffix(whole, "\r\n"), "open quote": quotes, "small": "nhs_no,forename,note\r\n1,2,3", "empty": "",
		"one endless line": "nhs_no,forename,note\r\n" + strings.Repeat("x", 1<<20)} {
		want := lines(t, engine.Message{Body: []byte(body)}, src)
		for how, through := range map[string]func(io.Reader) io.Reader{"plain": func(r io.Reader) io.Reader { return r }, "half": iotest.HalfReader} {
			got := lines(t, engine.Message{Size: int64(len(body)), Open: func() (io.ReadCloser, error) {
				return io.NopCloser(through(bytes.NewReader([]byte(body)))), nil
			}}, src)
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					t.Fatalf("%s, %s: line %d of %d and %d differs:\n got %.300q\nwant %.300q", name, how, i, len(got), len(want), got[min(i, len(got)-1)], want[min(i, len(want)-1)])
				}
			}
		}
	}
}

// lines is what a decoding comes to, in a form that can be compared.
func lines(t *testing.T, msg engine.Message, src engine.Schema) (out []string) {
	t.Helper()
	var cells []engine.Selector
	for _, f := range src.Fields {
		s, err := New().Compile(f.Name, src)
		if err != nil {
			t.Fatal(err)
		}
		cells = append(cells, s)
	}
	for r, err := range New().Decode(msg, src) {
		if err != nil {
			out = append(out, err.Error())
			continue
		}
		line := fmt.Sprint(r.Place())
		at := r.Place()
		line += fmt.Sprint(at.Start, at.End)
		for _, s := range cells {
			for _, v := range s.Select(r, nil) {
				line += fmt.Sprint("|", v.Text, v.At, v.At.Start, v.At.End)
			}
		}
		out = append(out, line)
	}
	return out
}
