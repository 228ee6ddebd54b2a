package demo

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/text/encoding/charmap"

	"signalbox/mesh/cpis"
)

// Everybody and everything here is fictitious: NHS numbers of the 999 range, telephone numbers of the range kept for drama, workflow and
// mailbox ids that no real service uses. The secrets guard nothing but the loopback.
const (
	engineMailbox     = "SIGNALBOX1"
	testshireMailbox  = "TESTLA01"
	northshireMailbox = "TESTLA02"
	password          = "demo-password"
	sharedKey         = "demo-shared-key"
	trustToken        = "demo-token-of-the-testshire-infirmary"
	uploadWorkflow    = "TEST_CPIS_UPLOAD"

	adaNumber = "9990000018" // on a plan in Testshire and looked after in Northshire
	zoeNumber = "9990000026" // on a plan in Northshire
	nobody    = "9990000050" // known to no authority
)

// writeConfig leaves a complete configuration in the folder, with its secrets in files of their own, and returns its path.
func (s *stage) writeConfig() (string, error) {
	secrets := filepath.Join(s.Dir, "secrets")
	if err := os.MkdirAll(secrets, 0o700); err != nil {
		return "", err
	}
	for name, value := range map[string]string{"mailbox-password": password, "mesh-shared-key": sharedKey, "trust-token": trustToken} {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(value+"\n"), 0o600); err != nil {
			return "", err
		}
	}
	stream := ""
	if s.Stream != "" {
		stream = fmt.Sprintf("stream: { urls: [%q], consumer: demo-%d, prefix: signalbox-demo-%d }\n", s.Stream, os.Getpid(), os.Getpid())
	}
	path := filepath.Join(s.Dir, "signalbox.yaml")
	return path, os.WriteFile(path, []byte(strings.NewReplacer("MESH_URL", s.meshURL, "STREAM\n", stream).Replace(configText)), 0o600)
}

//go:embed signalbox.yaml
var configText string

// testshireUpload is a CP-IS XML file of six records, of which three are good.
func testshireUpload(now time.Time) ([]byte, error) {
	child := func(nhs, local, given, family, born string) cpis.Subject {
		return cpis.Subject{NHSNumber: nhs, LocalID: local, AssigningAuthority: "999:TESTSHIRE COUNTY COUNCIL", Given: given, Family: family, BirthTime: born}
	}
	cara := child("9990000034", "LA-1003", "Cara", "Testthree", "19990102")
	cara.Unborn = true
	cpp := func(start string) cpis.Plan { return cpis.Plan{Kind: cpis.PlanChildProtection, Start: start} }
	u := cpis.Upload{
		CreationTime: now, FileID: "1042",
		Organisation: cpis.Organisation{ODSCode: "999", Name: "TESTSHIRE COUNTY COUNCIL",
			Telecoms: []cpis.Telecom{{Use: "WP", Value: "tel:01632960001"}, {Use: "EC", Value: "tel:01632960002"}}},
		Records: []cpis.UploadRecord{
			{Plan: cpp("202609010000"), Subject: child(adaNumber, "LA-1001", "Ada", "Testone", "20150312")},
			{Plan: cpis.Plan{Kind: cpis.PlanLookedAfter, Start: "202605100000", End: "202609300000"},
				Subject: child("9990000042", "LA-1002", "Ben", "Testtwo", "20101120")},
			{Plan: cpis.Plan{Kind: cpis.PlanUnbornProtection, Start: "202608150000", End: "202712240000"}, Subject: cara},
			{Plan: cpp("202609010000"), Subject: child("9990000019", "LA-1004", "Dev", "Testfour", "20180704")}, // check digit
			{Plan: cpp("202602310000"), Subject: child("9990000050", "LA-1005", "Eli", "Testfive", "20190228")}, // 31 February
		},
		Quantity: 6, // one more than there are
	}
	var buf bytes.Buffer
	err := cpis.EncodeUpload(&buf, u)
	return buf.Bytes(), err
}

// northshireUpload is the nightly extract of a case-management system: windows-1252, UK dates, plan codes of its own.
func northshireUpload() ([]byte, error) {
	const text = "nhs_no,forename,surname,dob,plan_cat,start_dt,end_dt,withdrawn_dt,case_ref,record_status,worker_name\r\n" +
		"9990000018,Ada,Testone,12/03/2015,L,04/01/2026,,,NS-1,L,A. Worker\r\n" +
		"9990000026,Zoë,Testsix,20/11/2020,P,10/05/2026,,,NS-2,L,A. Worker\r\n" +
		"9990000034,Cara,Testthree,02/01/1999,X,15/08/2026,,,NS-3,L,B. Worker\r\n" + // unknown plan code
		"9990000042,Ben,Testtwo,20/11/2010,L,31/02/2026,,,NS-4,L,B. Worker\r\n" + // 31 February
		"9990000050,Eli,Testfive\r\n" + // too few columns
		"9990000019,Dev,Testfour,04/07/2018,P,01/04/2026,,,NS-6,L,B. Worker\r\n" + // check digit
		"9990000050,Eli,Testfive,28/02/2019,P,01/04/2026,,,NS-7,T,B. Worker\r\n" // a training record
	raw, err := charmap.Windows1252.NewEncoder().Bytes([]byte(text))
	if err != nil {
		return nil, err
	}
	// A row with a byte that windows-1252 does not have.
	return append(raw, "9990000050,El\x81i,Testfive,28/02/2019,P,01/04/2026,,,NS-8,L,B. Worker\r\n"...), nil
}
