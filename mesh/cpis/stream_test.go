package cpis

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// big makes an upload that is larger than what is read whole, with a refused record now and then.
func big(t testing.TB, records int) []byte {
	t.Helper()
	u := Upload{CreationTime: time.Date(2026, 10, 1, 2, 0, 0, 0, time.UTC), FileID: "1042", Organisation: Organisation{ODSCode: "999", Name: "TESTSHIRE – COUNCIL",
		Telecoms: []Telecom{{Use: "WP", Value: "tel:01632960001"}, {Use: "EC", Value: "tel:01632960002"}}}}
	for n := range records {
		u.Records = append(u.Records, UploadRecord{Plan: Plan{Kind: PlanChildProtection, Start: "202609010000"},
			Subject: Subject{NHSNumber: "9990000018", LocalID: fmt.Sprint("LA-", n), AssigningAuthority: "999:TESTSHIRE", BirthTime: "20150312", Given: "Zoë", Family: "Testone"}})
	}
	var buf bytes.Buffer
	if err := EncodeUpload(&buf, u); err != nil {
		t.Fatal(err)
	}
	body, n := buf.String(), 0
	lines := strings.SplitAfter(body, "</record>")
	for i := range lines {
		if n++; n%700 == 0 {
			lines[i] = strings.Replace(lines[i], "202609010000", "2026", 1)
		}
		if n%500 == 0 {
			lines[i] += "\n<!-- a remark -->\n"
		}
	}
	return []byte(strings.Join(lines, ""))
}

// read is what a decoder makes of a file, in a form that can be compared.
func read(d *Decoder) []string {
	defer d.Close()
	h, err := d.Header()
	out := []string{fmt.Sprint(h.FileID, h.Quantity, h.ODSCode, h.OrgName, h.Faults, err)}
	for r, err := range d.Records() {
		if r == nil {
			out = append(out, fmt.Sprint("end: ", err))
			continue
		}
		s, _ := r.Subject()
		out = append(out, fmt.Sprint(r.Position, r.Start, r.End, r.Element.Line, r.Element.Column, s, err, len(r.Faults)))
	}
	return append(out, fmt.Sprint(d.Count(), d.QuantityFault()))
}

func opens(body []byte, through func(io.Reader) io.Reader) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(through(bytes.NewReader(body))), nil }
}

// A file that is read through a window says the same, place for place, as one that is read whole, whatever is wrong with it and wherever.
func TestStreamReadsAsTheWhole(t *testing.T) {
	good := big(t, 2800)
	if len(good) < 2*wholeBytes {
		t.Fatalf("%d bytes are read whole", len(good))
	}
	at := func(share float64) int { return int(float64(len(good)) * share) }
	cut := func(n int) []byte { return good[:n] }
	put := func(n int, text string) []byte {
		n += bytes.Index(good[n:], []byte("</record>")) + len("</record>")
		return append(append(bytes.Clone(good[:n]), text...), good[n:]...)
	}
	for name, body := range map[string][]byte{
		"good": good, "small": big(t, 3), "empty": nil, "cut off": cut(at(0.6)), "cut in a tag": cut(at(0.9) + 3), "cut in the header": cut(300),
		"bad byte late": append(bytes.Clone(good[:len(good)-8]), "\xff</File>"...), "bad byte": put(at(0.5), "\xff"), "control character": put(at(0.4), "\x01"),
		"element between": put(at(0.7), "<other/>"), "text between": put(at(0.7), "words"), "doctype": put(at(0.3), "<!DOCTYPE x>"),
		"comment never closed": put(at(0.3), "<!-- "), "long comment": put(at(0.3), "<!--"+strings.Repeat(" x", 400_000)+"-->"),
		"long white space": put(at(0.3), strings.Repeat("\n", 700_000)), "second root": append(bytes.Clone(good), "<File/>"...),
		"wrong end": put(at(0.5), "</other>"), "ends early": put(at(0.5), "</File>"), "utf-16": append([]byte("\xff\xfe"), good...), "ascii, it says": bytes.Replace(good, []byte("UTF-8"), []byte("US-ASCII"), 1),
	} {
		t.Run(name, func(t *testing.T) {
			want := read(NewDecoder(body, Limits{}))
			for how, through := range map[string]func(io.Reader) io.Reader{
				"plain": func(r io.Reader) io.Reader { return r }, "half": iotest.HalfReader, "end with data": iotest.DataErrReader,
			} {
				if got := read(NewStreamDecoder(opens(body, through), Limits{})); !reflect.DeepEqual(got, want) {
					for i := range min(len(got), len(want)) {
						if got[i] != want[i] {
							t.Fatalf("%s: line %d of %d and %d:\n got %s\nwant %s", how, i, len(got), len(want), got[i], want[i])
						}
					}
					t.Fatalf("%s: %d and not %d lines", how, len(got), len(want))
				}
			}
		})
	}
}

func TestStreamLimits(t *testing.T) {
	good := big(t, 2800)
	plain := func(r io.Reader) io.Reader { return r }
	for name, l := range map[string]Limits{"size": {MaxBytes: 2 << 20}, "records": {MaxRecords: 2000}, "value": {MaxValueBytes: 9}, "elements": {MaxElements: 12}} {
		if got, want := read(NewStreamDecoder(opens(good, plain), l)), read(NewDecoder(good, l)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %s\nwant %s", name, got[len(got)-2:], want[len(want)-2:])
		}
	}
}

// A reading that fails is told as it is, and not as a fault of the file.
func TestStreamThatFails(t *testing.T) {
	good, broken := big(t, 2400), errors.New("test: the line broke")
	for _, after := range []int{0, 100, wholeBytes + 5, len(good) - 10} {
		for _, opening := range []int{1, 2} {
			n := 0
			d := NewStreamDecoder(func() (io.ReadCloser, error) {
				if n++; n != opening {
					return io.NopCloser(bytes.NewReader(good)), nil
				}
				return io.NopCloser(io.MultiReader(bytes.NewReader(good[:after]), iotest.ErrReader(broken))), nil
			}, Limits{})
			var last error
			for _, err := range d.Records() {
				last = err
			}
			d.Close()
			if !errors.Is(last, broken) {
				t.Errorf("after %d bytes of opening %d: %v", after, opening, last)
			}
		}
	}
}

// Records that stand are not checked again, and the others are.
func TestTrustedRecordsAreTakenAsTheyAre(t *testing.T) {
	body := bytes.Replace(big(t, 2), []byte("202609010000"), []byte("2026"), 2)
	d := NewDecoder(body, Limits{})
	d.Trust(func(position int) bool { return position == 1 })
	var faults []int
	for r := range d.Records() {
		faults = append(faults, len(r.Faults))
	}
	if len(faults) != 2 || faults[0] != 0 || faults[1] == 0 {
		t.Errorf("faults: %v", faults)
	}
}
