package day

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// setting is one organisation's system that asks.
type setting struct {
	name, ods, token string
	sends            bool // may send messages and not ask
}

func newSetting(i int) *setting {
	return &setting{name: fmt.Sprintf("setting-%04d", i), ods: fmt.Sprintf("T%04d", i), token: fmt.Sprintf("day-token-%04d", i), sends: i%50 == 49}
}

// trust is how the settings reach the engine, which may be away for a while.
type trust struct {
	m       *model
	client  *http.Client
	base    string // of FHIR
	hl7v3   string
	message string // a FHIR message to be filled in
}

// patience bounds every wait, so that a test that would hang fails with a sentence.
const patience = 2 * time.Minute

// call sends a request until somebody answers it: an engine that was killed may have done the work or not.
func (x *trust) call(method, address, token string, headers map[string]string, body string) (int, []byte, error) {
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		status, answer, err := x.once(method, address, token, headers, body)
		if err == nil && status < 500 {
			return status, answer, nil
		}
		if time.Now().After(deadline) {
			return status, nil, fmt.Errorf("a question was not answered in %s: %d, %w", patience, status, err)
		}
		x.m.mu.Lock()
		x.m.checked.retried++
		x.m.mu.Unlock()
	}
}

func (x *trust) once(method, address, token string, headers map[string]string, body string) (int, []byte, error) {
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	res, err := x.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// search asks over FHIR.
func (x *trust) search(of, number, token string, headers map[string]string) (int, []byte, error) {
	q := url.Values{"patient:identifier": {"https://fhir.nhs.uk/Id/nhs-number|" + number}}
	if of == "PatientFlag" {
		q = url.Values{"patient": {number}}
	}
	return x.call(http.MethodGet, x.base+"/"+of+"?"+q.Encode(), token, headers, "")
}

// headers of one look; a repeat has the same. Some who come unscheduled say nothing of it: no word means unscheduled.
func headers(trace string, scheduled bool) map[string]string {
	out := map[string]string{"TraceID": trace, "IsUnscheduledAccessEvent": fmt.Sprint(!scheduled)}
	if !scheduled && trace < "5" {
		delete(out, "IsUnscheduledAccessEvent")
	}
	return out
}

// ways in which a setting looks, each as often as it stands here.
var ways = []string{"CareTeam", "CareTeam", "CareTeam", "CareTeam", "CareTeam", "CareTeam", "PatientFlag", "HL7V3", "HL7V3", "message"}

// look lets a setting look at a person and hands the answer to the model. A repeat asks twice under one id.
func (x *trust) look(s *setting, number, way string, scheduled, repeat bool) error {
	seen, trace := x.m.open(number), uuid.NewString()
	times := 1
	if repeat {
		times = 2
	}
	for range times {
		got, err := x.by(s, number, way, trace, scheduled, seen.from)
		if err != nil {
			return fmt.Errorf("%s: %w", way, err)
		}
		if way != "message" {
			x.m.judge(number, seen, got)
		}
	}
	x.m.mu.Lock()
	x.m.checked.answers++
	x.m.mu.Unlock()
	if !scheduled {
		x.m.looked(number, s.ods, way, seen)
	}
	return nil
}

func (x *trust) by(s *setting, number, way, trace string, scheduled bool, at time.Time) ([]plan, error) {
	switch way {
	case "message":
		body := strings.NewReplacer("NUMBER", number, "ENCOUNTER", trace, "STARTED", at.UTC().Format(time.RFC3339), "ORGANISATION", s.ods).Replace(x.message)
		status, answer, err := x.call(http.MethodPost, x.base+"/$process-message", s.token, map[string]string{"Content-Type": "application/fhir+json"}, body)
		if err == nil && status/100 != 2 {
			err = fmt.Errorf("status %d: %s", status, answer)
		}
		return nil, err
	case "HL7V3":
		all := headers(trace, scheduled)
		delete(all, "TraceID")
		all["Content-Type"] = "text/xml"
		status, answer, err := x.call(http.MethodPost, x.hl7v3, s.token, all, queryMessage(trace, number, s.ods, at))
		switch {
		case err != nil:
			return nil, err
		case status == http.StatusNoContent:
			return nil, nil
		case status != http.StatusOK:
			return nil, fmt.Errorf("status %d: %s", status, answer)
		}
		return readHL7V3(answer)
	}
	status, answer, err := x.search(way, number, s.token, headers(trace, scheduled))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d: %s", status, answer)
	}
	if err != nil {
		return nil, err
	}
	return readSearch(way, answer)
}

// queryMessage is a QUPC_MT000006GB01 of a system.
func queryMessage(id, number, ods string, at time.Time) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<CP-ISQueryStub xmlns="urn:hl7-org:v3" xmlns:npfitlc="NPFIT:HL7:Localisation"><cP-ISNHSQuery><effectiveTime value="%s"/><id root="%s"/><author>`+
		`<npfitlc:contentId root="%s18.16" extension="COCT_TP145104GB01#System"/><COCT_TP145104GB01.System><id root="1.2.826.0.1285.0.2.0.107" extension="999000000009"/>`+
		`<maintainingOrganization><id root="%[3]s19.1" extension="%s"/><name>A SETTING</name></maintainingOrganization></COCT_TP145104GB01.System></author>`+
		`<queryByParameter><person.NHSnumber><value extension="%s"/></person.NHSnumber></queryByParameter></cP-ISNHSQuery></CP-ISQueryStub>`,
		at.UTC().Format("20060102150405+0000"), strings.ToUpper(id), stem, ods, number)
}

// hl7Answer is a REPC_MT000007GB01.
type hl7Answer struct {
	XMLName xml.Name `xml:"urn:hl7-org:v3 CP-ISNHSQueryResponse"`
	Records []struct {
		LA struct {
			Name  string `xml:"name"`
			Phone []struct {
				Use   string `xml:"use,attr"`
				Value string `xml:"value,attr"`
			} `xml:"telecom"`
		} `xml:"communicationFunctionSnd>organisation"`
		CPP *hl7Plan `xml:"CP-ISRecord>pertinentInformation15>COCT_TP146105GB01.CPPInformation"`
		LAC *hl7Plan `xml:"CP-ISRecord>pertinentInformation15>COCT_TP146103GB01.LACInformation"`
		UCP *hl7Plan `xml:"CP-ISRecord>pertinentInformation15>COCT_TP146104GB01.UCPInformation"`
	} `xml:"pertinentInformation14>pertinentCP-ISRecordControlAct>record"`
}

type hl7Plan struct {
	Start hl7Dates `xml:"component"`
	End   hl7Dates `xml:"component1"`
}

type hl7Dates struct {
	Any []struct {
		Value value `xml:"value"`
	} `xml:",any"`
}

// day is the date as days are written elsewhere.
func (d hl7Dates) day() string {
	if len(d.Any) != 1 || len(d.Any[0].Value.Value) != 12 {
		return ""
	}
	s := d.Any[0].Value.Value
	return s[:4] + "-" + s[4:6] + "-" + s[6:8]
}

func readHL7V3(body []byte) ([]plan, error) {
	var a hl7Answer
	if err := xml.Unmarshal(body, &a); err != nil {
		return nil, err
	}
	var out []plan
	for _, r := range a.Records {
		p := plan{la: r.LA.Name}
		for _, use := range []string{"WP", "EC"} {
			for _, t := range r.LA.Phone {
				if t.Use == use {
					p.phones = strings.TrimSpace(p.phones + " " + strings.TrimPrefix(t.Value, "tel:"))
				}
			}
		}
		for k, block := range []*hl7Plan{r.CPP, r.LAC, r.UCP} {
			if block != nil {
				p.kind, p.start, p.end = kind(k), block.Start.day(), block.End.day()
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// resource is what of a FHIR resource is compared.
type resource struct {
	ResourceType string
	ID           string
	Name         string
	Period       struct{ Start, End string }
	Category     []struct{ Coding []struct{ Code string } }
	Telecom      []struct{ Use, Value string }
	CareTeam     []struct{ Reference string }
	Agent        []struct {
		Who struct {
			Identifier struct{ System, Value string }
		}
	}
	Recorded string
}

func (r *resource) kind() kind {
	for _, c := range r.Category {
		for _, code := range c.Coding {
			switch code.Code {
			case "342191000000101":
				return protection
			case "764841000000100":
				return lookedAfter
			case "818901000000100":
				return unborn
			}
		}
	}
	return -1
}

func (r *resource) phones() string {
	all := map[string]string{}
	for _, t := range r.Telecom {
		all[t.Use] = t.Value
	}
	return all["work"] + " " + all["mobile"]
}

type bundle struct {
	Total int
	Entry []struct {
		FullURL  string
		Resource resource
	}
}

// readSearch reads the plans of a searchset, as CareTeams or as CarePlans that point to CareTeams.
func readSearch(way string, body []byte) ([]plan, error) {
	var b bundle
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&b); err != nil {
		return nil, err
	}
	var out []plan
	teams, matches := map[string]*resource{}, 0
	for i := range b.Entry {
		if r := &b.Entry[i].Resource; r.ResourceType == "CareTeam" {
			teams[b.Entry[i].FullURL], teams["CareTeam/"+r.ID] = r, r
		}
	}
	for i := range b.Entry {
		r := &b.Entry[i].Resource
		switch {
		case way == "CareTeam" && r.ResourceType == "CareTeam":
			matches++
			out = append(out, plan{la: r.Name, start: r.Period.Start, end: r.Period.End, kind: r.kind(), phones: r.phones()})
		case way == "PatientFlag" && r.ResourceType == "Flag":
			matches++
		case way == "PatientFlag" && r.ResourceType == "CarePlan":
			p := plan{start: r.Period.Start, end: r.Period.End, kind: r.kind()}
			for _, ref := range r.CareTeam {
				if team := teams[ref.Reference]; team != nil {
					p.la, p.phones = team.Name, team.phones()
				}
			}
			out = append(out, p)
		}
	}
	if b.Total != matches || way == "PatientFlag" && (matches == 1) != (len(out) > 0) {
		return nil, fmt.Errorf("a total of %d, %d matches, %d plans", b.Total, matches, len(out))
	}
	return out, nil
}

// readHistory reads who looked, newest first.
func readHistory(body []byte) ([]past, error) {
	var b bundle
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&b); err != nil {
		return nil, err
	}
	var out []past
	var last time.Time
	for _, e := range b.Entry {
		if e.Resource.ResourceType != "AuditEvent" {
			continue
		}
		at, err := time.Parse(time.RFC3339, e.Resource.Recorded)
		if err != nil || !last.IsZero() && at.After(last) {
			return nil, fmt.Errorf("a history is not in order: %w", err)
		}
		last = at
		for _, a := range e.Resource.Agent {
			if strings.HasSuffix(a.Who.Identifier.System, "ods-organization-code") {
				out = append(out, past{a.Who.Identifier.Value})
			}
		}
	}
	if b.Total != len(out) {
		return nil, fmt.Errorf("a history with a total of %d and %d organisations", b.Total, len(out))
	}
	return out, nil
}
