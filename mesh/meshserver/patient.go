package meshserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
)

// Patient is an entry of the directory by which a message to a patient's practice finds its mailbox. It stands for the
// service's demographics. Fictitious people only: NHS numbers from 999.
type Patient struct {
	NHSNumber string // ten digits, the last one right
	BirthDate string // yyyy-mm-dd
	Surname   string
	ODSCode   string // of the practice; the mailbox is looked up by it and the workflow, as by endpointlookup
}

func (p Patient) validate() error {
	if _, err := time.Parse(time.DateOnly, p.BirthDate); err != nil || !nhsNumber(p.NHSNumber) || p.Surname == "" || p.ODSCode == "" {
		return errors.New("want an NHS number, a birth date as yyyy-mm-dd, a surname and an ODS code")
	}
	return nil
}

// born reports whether text is the birth date: ddMMyyyy as in the sample of GP Connect Messaging, or yyyyMMdd as other
// readers of it write.
func (p Patient) born(text string) bool {
	date, err := time.Parse(time.DateOnly, p.BirthDate)
	return err == nil && (text == date.Format("02012006") || text == date.Format("20060102"))
}

// ReadPatients reads patients, one JSON object a line: nhs_number, birth_date (yyyy-mm-dd), surname, ods_code. An error
// names the line and never quotes it.
func ReadPatients(r io.Reader) ([]Patient, error) {
	var out []Patient
	err := eachLine(r, func(raw []byte) error {
		var l struct {
			NHSNumber string `json:"nhs_number"`
			BirthDate string `json:"birth_date"`
			Surname   string `json:"surname"`
			ODSCode   string `json:"ods_code"`
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if dec.Decode(&l) != nil {
			return errLine
		}
		p := Patient(l)
		if err := p.validate(); err != nil {
			return err
		}
		out = append(out, p)
		return nil
	})
	return out, wrap("patients", err)
}

// patientRoute is how an address begins that names a patient, whose practice is the recipient: NHS number, birth date and
// surname follow, with underscores between (GP Connect Messaging).
const patientRoute = "GPPROVIDER_"

// route finds the mailbox of the practice of the patient that an address names. What it does not find befalls the message
// after its acceptance, as on the service. Nothing of the address is kept.
func (x *exchange) route(m *Meta) {
	rest, ok := strings.CutPrefix(m.To, patientRoute)
	if !ok || x.lax(laxPatients) {
		return
	}
	to, code := x.s.practice(rest, m.WorkflowID)
	if code == "" {
		m.To = to
		return
	}
	m.To, x.doom, x.unrouted = strings.TrimSuffix(patientRoute, "_"), code, true
}

// practice returns the mailbox for what follows patientRoute, or the code of what is wrong.
func (s *Server) practice(address, workflow string) (mailbox, code string) {
	number, rest, _ := strings.Cut(address, "_")
	if !nhsNumber(number) {
		return "", "EPL-152"
	}
	p, known := s.patients[number]
	if !known {
		return "", "EPL-153"
	}
	if date, surname, _ := strings.Cut(rest, "_"); !p.born(date) || !strings.EqualFold(surname, p.Surname) {
		return "", "EPL-154"
	}
	found := s.receiversAt(p.ODSCode, workflow)
	switch len(found) {
	case 0:
		return "", "EPL-151"
	case 1:
		return found[0].ID, ""
	}
	return "", "EPL-150"
}

// receiversAt returns who may receive a workflow at an organisation: without any workflows configured, every active mailbox.
func (s *Server) receiversAt(ods, workflow string) (found []Mailbox) {
	there := func(m Mailbox) bool { return strings.EqualFold(m.ODSCode, ods) }
	if len(s.workflows) > 0 {
		return s.receivers(workflow, there)
	}
	for _, m := range s.mailboxes {
		if m.Active && there(m) {
			found = append(found, m)
		}
	}
	return found
}

// nhsNumber reports whether s is ten digits of which the last is right (modulus 11).
func nhsNumber(s string) bool {
	if len(s) != 10 || strings.Trim(s, "0123456789") != "" {
		return false
	}
	sum := 0
	for i := range 9 {
		sum += int(s[i]-'0') * (10 - i)
	}
	return (11-sum%11)%11 == int(s[9]-'0') // a check of 10 equals no digit
}
