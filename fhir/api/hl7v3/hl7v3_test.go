package hl7v3

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/engine"
	"signalbox/engine/register"
	"signalbox/mesh/cpis"
)

func sent(t testing.TB) []byte {
	t.Helper()
	raw, err := os.ReadFile("../../../mesh/cpis/testdata/query_QUPC_MT000006GB01.xml")
	require.NoError(t, err)
	return raw
}

func TestRead(t *testing.T) {
	q, err := Read(sent(t))
	require.NoError(t, err)
	require.Equal(t, "3c4c0aef-3537-44c4-a8b5-f0c313603458", q.ID)
	require.Equal(t, "9990000018", q.NHSNumber.Reveal())

	_, err = Read(bytes.Replace(sent(t), []byte("9990000018"), []byte("9990000019"), 1))
	require.ErrorIs(t, err, ErrNHSNumber)
	require.NotContains(t, err.Error(), "999")
	_, err = Read(bytes.ReplaceAll(bytes.Replace(sent(t), []byte("9990000018"), nil, 1), []byte(` displayName=`), []byte(` name=`)))
	require.Equal(t, 3, len(strings.Split(err.Error(), "\n")), "every fault has a line: %v", err)
	_, err = Read(append(sent(t), bytes.Repeat([]byte(" "), maxQuery)...))
	require.ErrorContains(t, err, "larger than the limit")
}

func date(t testing.TB, text string) engine.Date {
	t.Helper()
	l, err := engine.NewLayout(engine.LayoutHL7TS)
	require.NoError(t, err)
	d, err := l.Parse(text)
	require.NoError(t, err)
	return d
}

func answer(t testing.TB) register.Answer {
	t.Helper()
	n, err := engine.ParseNHSNumber("9990000018")
	require.NoError(t, err)
	subject := engine.Subject{NHSNumber: n, BirthDate: date(t, "20150312"), Given: engine.Personal("Ada"), Family: engine.Personal("Test\x01one")}
	a := engine.Access{ID: "0b2a3f52-9c6e-4f0e-8a57-1f3f1f0e6b01", Subject: subject, At: time.Date(2026, 10, 1, 4, 22, 33, 0, time.UTC),
		By: engine.Actor{DeviceID: "not an ASID", Organisation: engine.Organisation{ODSCode: "RXX99"}}}
	out := register.Answer{Access: a}
	for range register.HistoryLength + 3 {
		out.History = append(out.History, a)
	}
	for i, p := range engine.PlanTypes() {
		f := engine.Flag{Subject: subject, Plan: engine.Plan{Type: p, Start: date(t, "20260901")}, LocalID: engine.Personal("LA-1"),
			Authority: engine.Authority{ODSCode: "99" + string(rune('7'+i)), Name: "TESTSHIRE", OfficeHours: "+44 1632 960001", EmergencyDuty: "01632 960002"}}
		if p == engine.UnbornChildProtection {
			f.Plan.End = date(t, "202612240000")
		}
		out.Flags = append(out.Flags, f)
	}
	return out
}

func TestWrite(t *testing.T) {
	raw, err := Write(answer(t), "999000000001")
	require.NoError(t, err)
	got, err := cpis.DecodeQueryResponse(raw)
	require.NoError(t, err)
	require.Equal(t, 25, got.TotalAccesses)
	require.Equal(t, 3, got.TotalRecord)
	require.Equal(t, "999000000001", got.History[0].Device, "an access by nobody in full is shown under our own system id")
	require.Equal(t, cpis.Plan{Kind: cpis.PlanChildProtection, Start: "202609010000"}, got.Records[0].Plan)
	require.Equal(t, cpis.Plan{Kind: cpis.PlanUnbornProtection, Start: "202609010000", End: "202612240000"}, got.Records[2].Plan)
	require.True(t, got.Records[2].Subject.Unborn)
	require.Equal(t, "20150312 Ada Testone", got.Records[1].Subject.BirthTime+" "+got.Records[1].Subject.Given+" "+got.Records[1].Subject.Family)
	require.Equal(t, []cpis.Telecom{{Use: "WP", Value: "tel:+441632960001"}, {Use: "EC", Value: "tel:01632960002"}}, got.Records[0].Authority.Telecoms)
	require.NotContains(t, string(raw), "LA-1")

	again, err := Write(answer(t), "999000000001")
	require.NoError(t, err)
	require.Equal(t, raw, again)

	nobody := answer(t)
	nobody.Flags = nil
	raw, err = Write(nobody, "999000000001")
	require.NoError(t, err)
	require.Nil(t, raw)

	_, err = Write(answer(t), "")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "999")
}

// FuzzRead: a query that is read is whole, and an error holds no number.
func FuzzRead(f *testing.F) {
	f.Add(sent(f))
	f.Add([]byte(`<CP-ISQueryStub xmlns="urn:hl7-org:v3"/>`))
	f.Add([]byte(`<!DOCTYPE x><x/>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := Read(body)
		if err == nil && (q.ID == "" || q.NHSNumber.IsZero()) {
			t.Fatal("a query without id or number is read")
		}
		if err != nil && strings.Contains(err.Error(), "9990000018") {
			t.Fatal("an error holds the number")
		}
	})
}
