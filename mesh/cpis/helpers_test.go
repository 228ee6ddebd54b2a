package cpis

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func example(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func uploadExample(t testing.TB) string { return string(example(t, "upload_REPC_MT000002GB01")) }

// decoded is everything one run of the decoder gave.
type decoded struct {
	header  *Header
	records []*Record
	faults  []*Fault // in the order met, the header's first
	d       *Decoder
}

func decode(t testing.TB, body string, limits Limits) decoded {
	t.Helper()
	out := decoded{d: NewDecoder([]byte(body), limits)}
	header, err := out.d.Header()
	out.header = header
	if err != nil {
		out.faults = append(out.faults, asFault(t, err))
		return out
	}
	for r, err := range out.d.Records() {
		if r != nil {
			out.records = append(out.records, r)
		}
		if err != nil {
			out.faults = append(out.faults, asFault(t, err))
		}
	}
	return out
}

func asFault(t testing.TB, err error) *Fault {
	t.Helper()
	var f *Fault
	if !errors.As(err, &f) {
		t.Fatalf("error is not a *Fault: %v", err)
	}
	return f
}

// edit replaces the first occurrence of old and fails if there is none.
func edit(t testing.TB, s, old, new string) string {
	t.Helper()
	if !strings.Contains(s, old) {
		t.Fatalf("test data holds no %q", old)
	}
	return strings.Replace(s, old, new, 1)
}

var testTime = time.Date(2026, 10, 1, 3, 15, 0, 0, time.FixedZone("BST", 3600))

var testshire = Organisation{ODSCode: "999", Name: "TESTSHIRE COUNTY COUNCIL", Telecoms: []Telecom{
	{Use: "WP", Value: "tel:01632960001"}, {Use: "EC", Value: "tel:01632960002"},
}}

// sample is an upload of n fictitious records, the three kinds of plan in turn.
func sample(n int) Upload {
	u := Upload{CreationTime: testTime, FileID: "1042", Organisation: testshire}
	u.Organisation.Telecoms = slices.Clone(testshire.Telecoms)
	numbers := []string{"9990000018", "9990000026", "9990000034", "9990000042", "9990000050"}
	for i := range n {
		s := Subject{
			NHSNumber: numbers[i%len(numbers)], LocalID: fmt.Sprintf("LA-%d", 1000+i),
			AssigningAuthority: "999:TESTSHIRE COUNTY COUNCIL", BirthTime: "20150312", Given: "Ada", Family: "Testone",
		}
		p := Plan{Kind: PlanChildProtection, Start: "202609010000"}
		switch i % 3 {
		case 1:
			p = Plan{Kind: PlanLookedAfter, Start: "202605100000", End: "202609300000"}
		case 2:
			s.Unborn, s.BirthTime = true, "19990102"
			p = Plan{Kind: PlanUnbornProtection, Start: "202608150000", End: "202612240000", Delete: "202609290000"}
		}
		u.Records = append(u.Records, UploadRecord{Plan: p, Subject: s})
	}
	return u
}

func encoded(t testing.TB, write func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodedUpload(t testing.TB, u Upload) []byte {
	return encoded(t, func(b *bytes.Buffer) error { return EncodeUpload(b, u) })
}
