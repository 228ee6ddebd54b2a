package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"signalbox/engine"
)

func TestParseNHSNumber(t *testing.T) {
	for _, tc := range []struct {
		in, want string
		err      error
	}{
		{"9990000018", "9990000018", nil},
		{"999 000 0018", "9990000018", nil},
		{"999-000-0018", "9990000018", nil},
		{"9990000019", "", engine.ErrNHSNumberCheckDigit},
		{"999000001", "", engine.ErrNHSNumberForm},
		{"99900000188", "", engine.ErrNHSNumberForm},
		{"999000001X", "", engine.ErrNHSNumberForm},
		{"999 000-0018", "", engine.ErrNHSNumberForm},
		{" 9990000018", "", engine.ErrNHSNumberForm},
		{"٩٩٩٠٠٠٠٠١٨", "", engine.ErrNHSNumberForm},
		{"", "", engine.ErrNHSNumberForm},
	} {
		n, err := engine.ParseNHSNumber(tc.in)
		if !errors.Is(err, tc.err) || n.Reveal() != tc.want {
			t.Errorf("%q: got %q, %v; want %q, %v", tc.in, n.Reveal(), err, tc.want, tc.err)
		}
	}
}

// One digit changed, or two neighbours swapped, is what the check digit is for.
func TestCheckDigitCatchesSlips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := validNumber(t)
		b := []byte(n.Reveal())
		i := rapid.IntRange(0, 8).Draw(t, "place")
		if rapid.Bool().Draw(t, "swap") {
			b[i], b[i+1] = b[i+1], b[i]
		} else {
			b[i] = '0' + (b[i]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "step")))%10
		}
		if string(b) == n.Reveal() {
			return
		}
		if _, err := engine.ParseNHSNumber(string(b)); err == nil {
			t.Fatalf("a slip passes as an NHS number")
		}
	})
}

func validNumber(t *rapid.T) engine.NHSNumber {
	stem := 999000000 + rapid.IntRange(0, 999999).Draw(t, "stem")
	for d := range 10 {
		if n, err := engine.ParseNHSNumber(fmt.Sprintf("%d%d", stem, d)); err == nil {
			return n
		}
	}
	t.Skip("no check digit exists for this stem")
	return engine.NHSNumber{}
}

func TestPersonalDataPrintsAsRedacted(t *testing.T) {
	n, _ := engine.ParseNHSNumber("9990000018")
	born, _ := engine.NewDate(2015, 3, 12)
	flag := engine.Flag{Subject: engine.Subject{NHSNumber: n, BirthDate: born, Given: "Ada", Family: "Testone"}, LocalID: "LA-1001"}
	access := engine.Access{Subject: flag.Subject, By: engine.Actor{Person: &engine.Person{Name: "Eve Clinician"}}}
	var out strings.Builder
	log := slog.New(slog.NewJSONHandler(&out, nil))
	text := slog.New(slog.NewTextHandler(&out, nil))
	for _, v := range []any{engine.Envelope{Flag: &flag, Access: &access}, &engine.Translated{Event: &engine.Envelope{Flag: &flag}}, access.By, n, born, flag.LocalID, flag.Subject, flag, &flag, access, &access, engine.NumberInactive{Old: n}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			fmt.Fprintf(&out, verb, v)
		}
		log.Info("x", "v", v)
		text.Info("x", "v", v)
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(raw)
	}
	for _, datum := range []string{"9990000018", "2015", "Ada", "Testone", "LA-1001", "Clinician", "393939"} {
		if strings.Contains(out.String(), datum) {
			t.Errorf("a datum is printed: %s", datum)
		}
	}
	if !strings.Contains(out.String(), engine.Redacted) {
		t.Error("nothing says that data was redacted")
	}
}
