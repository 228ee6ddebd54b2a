package day

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// extension and value are how HL7 V3 says a simple thing.
type extension struct {
	Root      string `xml:"root,attr"`
	Extension string `xml:"extension,attr"`
}

type value struct {
	Value string `xml:"value,attr"`
}

// ackMessage is a REPC_MT000003GB01 as an authority's system reads it.
type ackMessage struct {
	XMLName xml.Name  `xml:"urn:hl7-org:v3 FileResponse"`
	ID      extension `xml:"id"`
	Count   value     `xml:"transmissionQuantity"`
	Files   []struct {
		Code struct {
			Code string `xml:"code,attr"`
		} `xml:"code"`
	} `xml:"acknowledgementFile>acknowledgementFileDetail"`
	Records []struct {
		Code struct {
			Code string `xml:"code,attr"`
			Text string `xml:"originalText"`
		} `xml:"code"`
		Location string `xml:"location"`
	} `xml:"acknowledgementRecord>acknowledgementRecordDetail"`
	To       extension `xml:"communicationFunctionRcv>organisation>id"`
	Failed   value     `xml:"failedReturnedCP-ISRecords>value"`
	Good     value     `xml:"successfulReturnedCP-ISRecords>value"`
	Messages []struct {
		Part struct {
			Valid   *echoed `xml:"validCP-ISRecord"`
			Invalid *echoed `xml:"invalidCP-ISRecord"`
		} `xml:"cP-ISLAAcknowledgementResponse>pertinentInformation1"`
	} `xml:"message"`
}

// echoed is a record given back: its local id says which.
type echoed struct {
	Child  []extension `xml:"subject>COCT_TP145101GB01.Child>id"`
	Mother []extension `xml:"subject>COCT_TP145100GB01.UnbornChild>parentMotherPerson>playedMother>id"`
}

func (e *echoed) local() string {
	for _, id := range append(e.Child, e.Mother...) {
		if id.Root == stem+"18.24" {
			return id.Extension
		}
	}
	return ""
}

// outcome is what an acknowledgement says of one record.
type outcome struct {
	code, words string // CSV: status, rule
}

// ack is an acknowledgement in either dialect.
type ack struct {
	id, file     string // file id and code; CSV says neither
	good, failed int
	whole        []outcome       // about the file
	records      map[int]outcome // about records, by position from 1: only bad ones in XML, all in CSV
	valid        []string        // local ids of the records given back
	invalid      []string
}

var place = regexp.MustCompile(`^/(FileResponse/message|File/record)\[(\d+)\](/.*)?$`)

// readAck reads an acknowledgement of f in the authority's dialect.
func (f *file) readAck(body []byte) (*ack, error) {
	if f.la.csv {
		return readCSVAck(body)
	}
	var m ackMessage
	if err := xml.Unmarshal(body, &m); err != nil || len(m.Files) != 1 {
		return nil, fmt.Errorf("the acknowledgement has %d codes: %w", len(m.Files), err)
	}
	a := &ack{id: m.ID.Extension, file: m.Files[0].Code.Code, records: map[int]outcome{}}
	var err error
	if a.good, err = strconv.Atoi(m.Good.Value); err != nil {
		return nil, err
	}
	if a.failed, err = strconv.Atoi(m.Failed.Value); err != nil {
		return nil, err
	}
	if m.To.Extension != f.la.ods && f.as == f.la.ods {
		return nil, errors.New("the acknowledgement is for another authority")
	}
	for _, one := range m.Messages {
		switch {
		case one.Part.Valid != nil:
			a.valid = append(a.valid, one.Part.Valid.local())
		case one.Part.Invalid != nil:
			a.invalid = append(a.invalid, one.Part.Invalid.local())
		}
	}
	back := f.givenBack()
	for _, r := range m.Records {
		said := outcome{r.Code.Code, r.Code.Text}
		if r.Location == "/File" {
			a.whole = append(a.whole, said)
			continue
		}
		at := place.FindStringSubmatch(r.Location)
		if at == nil {
			return nil, errors.New("a location is none: " + r.Location)
		}
		n, _ := strconv.Atoi(at[2])
		if at[1] == "FileResponse/message" {
			if n < 1 || n > len(back) {
				return nil, errors.New("a location names a message that is not there: " + r.Location)
			}
			n = back[n-1]
		}
		if _, twice := a.records[n]; twice {
			return nil, fmt.Errorf("record %d is named twice", n)
		}
		a.records[n] = said
	}
	return a, nil
}

// givenBack returns the positions of the records that stand in the acknowledgement, in order.
func (f *file) givenBack() []int {
	var out []int
	for i, e := range f.entries[:f.read] {
		if e.fault == nil || !e.fault.bare {
			out = append(out, i+1)
		}
	}
	return out
}

func readCSVAck(body []byte) (*ack, error) {
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(rows) == 0 || strings.Join(rows[0], ",") != "row,status,rule,where,reason" {
		return nil, fmt.Errorf("the acknowledgement is no CSV of ours: %w", err)
	}
	a := &ack{records: map[int]outcome{}}
	for _, row := range rows[1:] {
		n, err := strconv.Atoi(row[0])
		if err != nil {
			return nil, err
		}
		switch said := (outcome{row[1], row[2]}); {
		case n == 0:
			a.whole = append(a.whole, said)
		case a.records[n] != outcome{}:
			return nil, fmt.Errorf("row %d is named twice", n)
		default:
			a.records[n] = said
			if said.code == "accepted" {
				a.good++
			} else {
				a.failed++
			}
		}
	}
	return a, nil
}

// notice is one access in a notification.
type notice struct {
	id, at, number, local, file, ods string
}

// notificationMessage is a REPC_MT000004GB01.
type notificationMessage struct {
	XMLName xml.Name  `xml:"urn:hl7-org:v3 CP-ISAccessToServiceNotification"`
	Total   value     `xml:"pertinentInformation>pertinentTotalReturnedRecords>value"`
	To      extension `xml:"primaryInformationRecipient>COCT_TP145103GB01.IntendedRecipient>representedSourceOrganization>id"`
	Records []struct {
		Queries []struct {
			At value `xml:"effectiveTime"`
			ID struct {
				Root string `xml:"root,attr"`
			} `xml:"id"`
			Device extension   `xml:"author>COCT_TP145104GB01.System>maintainingOrganization>id"`
			Person extension   `xml:"author>COCT_TP145102GB01.AssignedAuthor>representedOrganization>id"`
			Whom   []extension `xml:"queryByParameter>person.id>value"`
		} `xml:"pertinentCP-ISRecordAccess>pertinentInformation2>pertinentCP-ISNHSQuery"`
		File extension `xml:"pertinentCP-ISRecordAccess>reference>referredToLAUploadFile>value"`
	} `xml:"pertinentInformation1"`
}

func (la *authority) readNotification(body []byte) ([]notice, error) {
	if la.toldInCSV {
		return readCSVNotification(body)
	}
	var m notificationMessage
	if err := xml.Unmarshal(body, &m); err != nil {
		return nil, err
	}
	if m.Total.Value != strconv.Itoa(len(m.Records)) || m.To.Extension != la.ods {
		return nil, fmt.Errorf("the notification says %s records and holds %d, or is for another authority", m.Total.Value, len(m.Records))
	}
	var out []notice
	for _, r := range m.Records {
		for _, q := range r.Queries {
			n := notice{id: q.ID.Root, at: q.At.Value, ods: q.Device.Extension + q.Person.Extension, file: r.File.Extension}
			for _, id := range q.Whom {
				if id.Root == "2.16.840.1.113883.2.1.4.1" {
					n.number = id.Extension
				} else {
					n.local = id.Extension
				}
			}
			out = append(out, n)
		}
	}
	return out, nil
}

func readCSVNotification(body []byte) ([]notice, error) {
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(rows) < 2 {
		return nil, fmt.Errorf("the notification is a CSV of %d rows: %w", len(rows), err)
	}
	column := map[string]int{} // columns are known by their names: others may stand beside them
	for i, name := range rows[0] {
		column[name] = i
	}
	for _, name := range []string{"access_id", "accessed_at", "nhs_number", "local_id", "file_id", "organisation_code"} {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf("the notification has no column %s", name)
		}
	}
	var out []notice
	for _, row := range rows[1:] {
		of := func(name string) string { return row[column[name]] }
		out = append(out, notice{id: of("access_id"), at: of("accessed_at"), number: of("nhs_number"), local: of("local_id"), file: of("file_id"), ods: of("organisation_code")})
	}
	return out, nil
}
