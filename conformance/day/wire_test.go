package day

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// wireRecord is a record as it goes out, right or wrong.
type wireRecord struct {
	number, local, family string
	given                 []string
	born                  string // yyyymmdd
	kind                  kind
	start, end, deleted   string // yyyymmddhhmm
	twice, asChild, cut   bool
	category, status      string // of a CSV row
}

// stem is the beginning of CP-IS's object identifiers.
const stem = "2.16.840.1.113883.2.1.3.2.4."

// template and prefix name the parts of a plan in an upload.
func (k kind) template() string {
	return [...]string{"COCT_TP146101GB01#CPPInformation", "COCT_TP146100GB01#LACInformation", "COCT_TP146102GB01#UCPInformation"}[k]
}

func (k kind) prefix() string { return [...]string{"cPP", "lAC", "uCP"}[k] }

func (e *entry) wire() *wireRecord {
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format("200601020000")
	}
	r := &wireRecord{number: e.who.number, local: e.local, family: e.who.family, given: []string{e.who.given}, born: e.who.born.Format("20060102"), kind: e.kind,
		start: stamp(e.start), end: stamp(e.end), deleted: stamp(e.withdrawn), category: [...]string{"P", "L", "U"}[e.kind], status: "L"}
	if e.fault != nil && e.fault.spoil != nil {
		e.fault.spoil(r)
	}
	return r
}

// body is the file as it is sent.
func (f *file) body(now time.Time) []byte {
	if f.la.csv {
		return f.rows()
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<File xmlns="urn:hl7-org:v3" xmlns:npfitlc="NPFIT:HL7:Localisation"><creationTime value="%s"/><id extension="%s"/><transmissionQuantity value="%d"/>`,
		now.UTC().Format("20060102150405+0000"), f.id, f.count)
	fmt.Fprintf(&b, `<communicationFunctionSnd><organisation><id root="%s19.1" extension="%s"/><name>%s</name><telecom value="tel:%s" use="WP"/>`,
		stem, f.as, f.la.name, f.la.office)
	if !f.nobody {
		fmt.Fprintf(&b, `<telecom value="tel:%s" use="EC"/>`, f.la.duty)
	}
	b.WriteString("</organisation></communicationFunctionSnd>\n")
	for i, e := range f.entries {
		if i == f.read {
			b.WriteString("<record><CP-ISRec") // the line went down here
			return []byte(b.String())
		}
		e.wire().xml(&b, f.la)
	}
	b.WriteString("</File>\n")
	return []byte(b.String())
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

func (r *wireRecord) xml(b *strings.Builder, la *authority) {
	b.WriteString("<record><CP-ISRecord>")
	r.plan(b, r.kind, r.start, r.end, r.deleted)
	if r.twice {
		r.plan(b, (r.kind+1)%2, "202605010000", "", "")
	}
	ids := ""
	if r.number != "" {
		ids = fmt.Sprintf(`<id root="2.16.840.1.113883.2.1.4.1" extension="%s"/>`, r.number)
	}
	ids += fmt.Sprintf(`<id root="%s18.24" extension="%s" assigningAuthorityName="%s:%s"/>`, stem, r.local, la.ods, la.name)
	who := fmt.Sprintf(`<birthTime value="%s"/><name>`, r.born)
	for _, given := range r.given {
		who += "<given>" + escaped(given) + "</given>"
	}
	who += "<family>" + escaped(r.family) + "</family></name>"
	content := func(template string) string {
		return fmt.Sprintf(`<npfitlc:contentId root="%s18.16" extension="%s"/>`, stem, template)
	}
	if r.kind == unborn && !r.asChild {
		fmt.Fprintf(b, `<subject>%s<COCT_TP145100GB01.UnbornChild><parentMotherPerson>%s<playedMother>%s</playedMother></parentMotherPerson></COCT_TP145100GB01.UnbornChild></subject>`,
			content("COCT_TP145100GB01#UnbornChild"), who, ids)
	} else {
		fmt.Fprintf(b, `<subject>%s<COCT_TP145101GB01.Child>%s<childPerson>%s</childPerson></COCT_TP145101GB01.Child></subject>`,
			content("COCT_TP145101GB01#Child"), ids, who)
	}
	b.WriteString("</CP-ISRecord></record>\n")
}

func (r *wireRecord) plan(b *strings.Builder, k kind, start, end, deleted string) {
	name := strings.Replace(k.template(), "#", ".", 1)
	fmt.Fprintf(b, `<pertinentInformation><npfitlc:contentId root="%s18.16" extension="%s"/><%s>`, stem, k.template(), name)
	for i, at := range []string{start, end, deleted} {
		if at != "" {
			fmt.Fprintf(b, `<component%s><%s%sDate><value value="%s"/></%[2]s%[3]sDate></component%[1]s>`,
				[...]string{"", "1", "2"}[i], k.prefix(), [...]string{"Start", "End", "Delete"}[i], at)
		}
	}
	fmt.Fprintf(b, `</%s></pertinentInformation>`, name)
}

// rows is a CSV file in the manner of the sample supplier: Windows-1252, days as dd/mm/yyyy.
func (f *file) rows() []byte {
	var b strings.Builder
	b.WriteString("nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name\r\n")
	day := func(s string) string {
		if len(s) < 8 {
			return ""
		}
		return s[6:8] + "/" + s[4:6] + "/" + s[:4]
	}
	for _, e := range f.entries {
		r := e.wire()
		if r.cut {
			fmt.Fprintf(&b, "%s,%s\r\n", r.number, r.given[0])
			continue
		}
		fmt.Fprintf(&b, "%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,A. Worker\r\n",
			r.number, r.given[0], r.family, day(r.born), r.category, day(r.start), day(r.end), day(r.deleted), r.local, r.status)
	}
	latin := make([]byte, 0, b.Len())
	for _, c := range b.String() {
		latin = append(latin, byte(c)) // the names hold nothing above U+00FF
	}
	return latin
}
