package cpis

import (
	"strings"
	"testing"
)

// mutant is the example upload with one change. Rule is the first rule it must
// break, "" when it must be taken; path is where, in short form (see expand).
type mutant struct {
	name, old, new string
	rule, path     string
}

// expand spells the abbreviations of the table.
var expand = strings.NewReplacer(
	"{org}", "File/communicationFunctionSnd/organisation",
	"{r}", "File/record[1]/CP-ISRecord",
	"{cpp}", "File/record[1]/CP-ISRecord/pertinentInformation/COCT_TP146101GB01.CPPInformation",
	"{lac}", "File/record[2]/CP-ISRecord/pertinentInformation/COCT_TP146100GB01.LACInformation",
	"{ucp}", "File/record[3]/CP-ISRecord/pertinentInformation/COCT_TP146102GB01.UCPInformation",
	"{child}", "File/record[1]/CP-ISRecord/subject/COCT_TP145101GB01.Child",
	"{mum}", "File/record[3]/CP-ISRecord/subject/COCT_TP145100GB01.UnbornChild/parentMotherPerson",
)

const (
	cppStart  = `<cPPStartDate><value value="202609010000"/></cPPStartDate>`
	lacEnd    = `<component1><lACEndDate><value value="202609300000"/></lACEndDate></component1>`
	ucpEnd    = `<component1><uCPEndDate><value value="202612240000"/></uCPEndDate></component1>`
	adaName   = `<name><given>Ada</given><family>Testone</family></name>`
	adaNumber = `<id root="2.16.840.1.113883.2.1.4.1" extension="9990000018"/>`
	ecPhone   = `<telecom value="tel:01632960002" use="EC"/>`
	wpPhone   = `<telecom value="tel:01632960001" use="WP"/>`
	lacBlock  = `<pertinentInformation><npfitlc:contentId root="2.16.840.1.113883.2.1.3.2.4.18.16" extension="COCT_TP146100GB01#LACInformation"/><COCT_TP146100GB01.LACInformation><component><lACStartDate><value value="202605100000"/></lACStartDate></component></COCT_TP146100GB01.LACInformation></pertinentInformation>`
	xsi       = `xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" `
)

// mutants are well-formed, so that a schema validator can judge them too.
var mutants = []mutant{
	{"unchanged", "", "", "", ""},
	{"schema location", "<File ", `<File ` + xsi + `xsi:schemaLocation="urn:hl7-org:v3 x.xsd" `, "", ""},
	{"xsi:type", cppStart, `<cPPStartDate ` + xsi + `xsi:type="Nothing"><value value="202609010000"/></cPPStartDate>`, RuleAttribute, "{cpp}/component/cPPStartDate/@xsi:type"},
	{"null flavour on an act", "<record>", `<record nullFlavor="NI">`, "", ""},
	{"masked null flavour on an act", "<record>", `<record nullFlavor=" MSK ">`, "", ""},
	{"bad null flavour", "<record>", `<record nullFlavor="XX">`, RuleValue, "File/record[1]/@nullFlavor"},
	{"update mode on an act", "<CP-ISRecord>", `<CP-ISRecord updateMode="added">`, "", ""},
	{"class code", "<CP-ISRecord>", `<CP-ISRecord classCode="ACTN">`, RuleAttribute, "{r}/@classCode"},
	{"type code", "<subject>", `<subject typeCode="SBJ">`, RuleAttribute, "{r}/subject/@typeCode"},
	{"code element", "<CP-ISRecord>", `<CP-ISRecord><code/>`, RuleElement, "{r}/code"},
	{"template id", "<childPerson>", `<templateId/><childPerson>`, RuleElement, "{child}/templateId"},

	{"no creation time", `<creationTime value="20261001020000+0100"/>`, "", RuleMissing, "File/creationTime"},
	{"bad creation time", "20261001020000+0100", "2026-10-01", RuleValue, "File/creationTime/@value"},
	{"creation time without zone", "20261001020000+0100", "20261001020000", "", ""},
	{"creation time with fraction", "20261001020000+0100", "20261001020000.123+0", "", ""},
	{"creation time with bare fraction", "20261001020000+0100", "20261001020000.", RuleValue, "File/creationTime/@value"},
	{"date with zone", "20261001020000+0100", "20261001+0100", RuleValue, "File/creationTime/@value"},
	{"file id root", `<id extension="1042"`, `<id root="2.16" extension="1042"`, RuleAttribute, "File/id/@root"},
	{"empty file id", `extension="1042"`, `extension=""`, RuleValue, "File/id/@extension"},
	{"blank file id", `extension="1042"`, `extension=" "`, RuleFileID, "File/id"},
	{"no file id", `<id extension="1042"/>`, "", RuleMissing, "File/id"},
	{"file id without extension", `<id extension="1042"/>`, "<id/>", RuleAttributeMissing, "File/id/@extension"},
	{"quantity in words", `Quantity value="4"`, `Quantity value="four"`, RuleValue, "File/transmissionQuantity/@value"},
	{"quantity signed and spaced", `Quantity value="4"`, `Quantity value=" +4 "`, "", ""},
	{"quantity with two signs", `Quantity value="4"`, `Quantity value="+-4"`, RuleValue, "File/transmissionQuantity/@value"},
	{"quantity wrong", `Quantity value="4"`, `Quantity value="7"`, "", ""},
	{"header out of order", `<id extension="1042"/><transmissionQuantity value="4"/>`, `<transmissionQuantity value="4"/><id extension="1042"/>`, RuleOrder, "File/id"},
	{"text in header", "<communicationFunctionSnd>", "x<communicationFunctionSnd>", RuleText, "File"},
	{"two organisations", "</communicationFunctionSnd>", `<organisation/></communicationFunctionSnd>`, RuleTooMany, "File/communicationFunctionSnd/organisation[2]"},

	{"organisation root", "2.16.840.1.113883.2.1.3.2.4.19.1", "2.16.840.1.113883.2.1.3.2.4.19.3", RuleValue, "{org}/id/@root"},
	{"site root", "2.16.840.1.113883.2.1.3.2.4.19.1", "2.16.840.1.113883.2.1.3.2.4.19.2", "", ""},
	{"blank ODS code", `extension="999"`, `extension=" "`, RuleOrgID, "{org}/id"},
	{"empty name", "<name>TESTSHIRE COUNTY COUNCIL</name>", "<name/>", RuleOrgName, "{org}/name"},
	{"name with use", "<name>TESTSHIRE", `<name use="L">TESTSHIRE`, RuleAttribute, "{org}/name/@use"},
	{"name with element", "<name>TESTSHIRE", `<name><prefix/>TESTSHIRE`, RuleElement, "{org}/name/prefix"},
	{"no telephone", wpPhone + ecPhone, "", RuleMissing, "{org}/telecom"},
	{"three telephones", ecPhone, ecPhone + wpPhone, RuleTooMany, "{org}/telecom[3]"},
	{"telephone with a space", "tel:01632960001", "tel:01632 960001", RuleValue, "{org}/telecom[1]/@value"},
	{"telephone in white space", `"tel:01632960001"`, `" tel:01632960001 "`, "", ""},
	{"telephone abroad", "tel:01632960001", "tel:+441632960001", "", ""},
	{"telephone with white space inside the element", wpPhone, `<telecom value="tel:01632960001" use="WP"> </telecom>`, RuleText, "{org}/telecom[1]"},
	{"telephone with a comment inside", wpPhone, `<telecom value="tel:01632960001" use="WP"><!-- x --></telecom>`, "", ""},
	{"telephone use unknown", `use="WP"`, `use="XX"`, RuleValue, "{org}/telecom[1]/@use"},
	{"telephone without use", ` use="WP"`, "", RuleAttributeMissing, "{org}/telecom[1]/@use"},
	{"telephone at home", `use="WP"`, `use="H"`, RuleTelecomUse, "{org}/telecom[1]/@use"},
	{"telephone use empty", `use="WP"`, `use=""`, RuleTelecomUse, "{org}/telecom[1]/@use"},
	{"telephone uses in a list", `use="WP"`, `use="WP  PG"`, RuleTelecomUse, "{org}/telecom[1]/@use"},
	{"no emergency duty telephone", ecPhone, "", RuleTelecomEC, "{org}/telecom"},
	{"two emergency duty telephones", `use="WP"`, `use="EC"`, RuleTelecomTwiceEC, "{org}/telecom"},
	{"telephone without digits", "tel:01632960001", "tel:+", RuleTelecomValue, "{org}/telecom[1]/@value"},
	{"telephone of a bare scheme", "tel:01632960001", "tel:", RuleValue, "{org}/telecom[1]/@value"},

	{"short start", "202609010000", "20260901", RuleValue, "{cpp}/component/cPPStartDate/value/@value"},
	{"start in month 13", "202609010000", "202613010000", RuleValue, "{cpp}/component/cPPStartDate/value/@value"},
	{"start at 24 hours", "202609010000", "202609012400", RuleValue, "{cpp}/component/cPPStartDate/value/@value"},
	{"start in 1899", "202609010000", "189909010000", RuleValue, "{cpp}/component/cPPStartDate/value/@value"},
	{"start on 31 February", "202609010000", "202602310000", RuleDate, "{cpp}/component/cPPStartDate/value/@value"},
	{"end on 29 February", "202609300000", "202702290000", RuleDate, "{lac}/component1/lACEndDate/value/@value"},
	{"no start", cppStart, "", RuleMissing, "{cpp}/component/cPPStartDate"},
	{"start of another plan", cppStart, strings.ReplaceAll(cppStart, "cPP", "lAC"), RuleElement, "{cpp}/component/lACStartDate"},
	{"start without value", cppStart, "<cPPStartDate><value/></cPPStartDate>", RuleAttributeMissing, "{cpp}/component/cPPStartDate/value/@value"},
	{"nil start", cppStart, "<cPPStartDate " + xsi + `xsi:nil="true"/>`, RuleNil, "{cpp}/component/cPPStartDate/@xsi:nil"},
	{"nil end", lacEnd, "<component1 " + xsi + `xsi:nil="true"/>`, "", ""},
	{"not nil end", lacEnd, "<component1 " + xsi + `xsi:nil="false"` + lacEnd[len("<component1"):], "", ""},
	{"nil end with content", lacEnd, "<component1 " + xsi + `xsi:nil="true"` + lacEnd[len("<component1"):], RuleNil, "{lac}/component1"},
	{"nil end with white space", lacEnd, "<component1 " + xsi + `xsi:nil="true"> </component1>`, RuleNil, "{lac}/component1"},
	{"nil unborn end", ucpEnd, "<component1 " + xsi + `xsi:nil="true"/>`, RuleNil, "{ucp}/component1/@xsi:nil"},
	{"no unborn end", ucpEnd, "", RuleMissing, "{ucp}/component1"},
	{"end before start", "<component1><lACEndDate>", "<component2><lACDeleteDate><value value=\"202609300000\"/></lACDeleteDate></component2><component1><lACEndDate>", RuleOrder, "{lac}/component1"},
	{"two ends", lacEnd, lacEnd + lacEnd, RuleTooMany, "{lac}/component1[2]"},
	{"two plans", "</pertinentInformation>", "</pertinentInformation>" + lacBlock, RuleOnePlan, "{r}/pertinentInformation"},
	{"four plans", "</pertinentInformation>", "</pertinentInformation>" + lacBlock + lacBlock + lacBlock, RuleTooMany, "{r}/pertinentInformation[4]"},
	{"plan of another template", "COCT_TP146101GB01#CPPInformation", "COCT_TP146100GB01#LACInformation", RuleContentID, "{r}/pertinentInformation/contentId/@extension"},
	{"content id root", `2.16.840.1.113883.2.1.3.2.4.18.16" extension="COCT_TP146101GB01#CPPInformation"`, `2.16" extension="COCT_TP146101GB01#CPPInformation"`, RuleValue, "{r}/pertinentInformation/contentId/@root"},
	{"content id in the wrong namespace", `npfitlc:contentId root="2.16.840.1.113883.2.1.3.2.4.18.16" extension="COCT_TP145101GB01#Child"`, `contentId root="2.16.840.1.113883.2.1.3.2.4.18.16" extension="COCT_TP145101GB01#Child"`, RuleNamespace, "{r}/subject/contentId"},
	{"unborn subject of a child's plan", "COCT_TP146102GB01#UCPInformation\"/><COCT_TP146102GB01.UCPInformation><component><uCPStartDate><value value=\"202608150000\"/></uCPStartDate></component>" + ucpEnd + "</COCT_TP146102GB01.UCPInformation>",
		"COCT_TP146101GB01#CPPInformation\"/><COCT_TP146101GB01.CPPInformation><component>" + cppStart + "</component></COCT_TP146101GB01.CPPInformation>", RulePlanSubject, "File/record[3]/CP-ISRecord/subject"},

	{"no NHS number", adaNumber, "", RuleNHSNumber, "{child}/id"},
	{"NHS number with letters", "9990000018", "99900X0018", "", ""},
	{"blank NHS number", `"9990000018"`, `" "`, RuleNHSNumber, "{child}/id"},
	{"empty NHS number", `"9990000018"`, `""`, RuleValue, "{child}/id[1]/@extension"},
	{"NHS number twice", `<id root="2.16.840.1.113883.2.1.3.2.4.18.24" extension="LA-1001" assigningAuthorityName="999:TESTSHIRE COUNTY COUNCIL"/>`, adaNumber, RuleNHSNumber, "{child}/id"},
	{"three ids", adaNumber, adaNumber + adaNumber, RuleTooMany, "{child}/id[3]"},
	{"id of another root", `root="2.16.840.1.113883.2.1.4.1"`, `root="2.16.840.1.113883.2.1.4.2"`, RuleValue, "{child}/id[1]/@root"},
	{"id displayable", adaNumber, adaNumber[:len(adaNumber)-2] + ` displayable="true"/>`, RuleAttribute, "{child}/id[1]/@displayable"},
	{"local id only", ` assigningAuthorityName="999:TESTSHIRE COUNTY COUNCIL"`, "", "", ""},
	{"empty authority", `assigningAuthorityName="999:TESTSHIRE COUNTY COUNCIL"`, `assigningAuthorityName=""`, RuleValue, "{child}/id[2]/@assigningAuthorityName"},
	{"birth date with hyphens", "20150312", "2015-03-12", RuleValue, "{child}/childPerson/birthTime/@value"},
	{"birth date on 31 February", "20150312", "20150231", RuleDate, "{child}/childPerson/birthTime/@value"},
	{"birth month alone", "20150312", "201503", "", ""},
	{"birth date of seven digits", "20150312", "2015031", RuleDate, "{child}/childPerson/birthTime/@value"},
	{"no birth date", `<birthTime value="20150312"/>`, "", RuleMissing, "{child}/childPerson/birthTime"},
	{"mother's birth date on 31 April", "19990102", "19990431", RuleDate, "{mum}/birthTime/@value"},
	{"mother without NHS number", `<id root="2.16.840.1.113883.2.1.4.1" extension="9990000034"/>`, "", RuleNHSNumber, "{mum}/playedMother/id"},
	{"no given name", "<given>Ada</given>", "", RuleMissing, "{child}/childPerson/name/given"},
	{"two given names", "<given>Ada</given>", "<given>Ada</given><given>Eve</given>", RuleTooMany, "{child}/childPerson/name/given[2]"},
	{"prefix", adaName, strings.Replace(adaName, "<given>", "<prefix>Ms</prefix><given>", 1), RuleElement, "{child}/childPerson/name/prefix"},
	{"family first", adaName, "<name><family>Testone</family><given>Ada</given></name>", RuleOrder, "{child}/childPerson/name/given"},
	{"name with use on a person", adaName, strings.Replace(adaName, "<name>", `<name use="L">`, 1), RuleAttribute, "{child}/childPerson/name/@use"},
	{"text between names", adaName, strings.Replace(adaName, "</given>", "</given> or ", 1), "", ""},
	{"element in a given name", "<given>Ada</given>", "<given><x/></given>", RuleElement, "{child}/childPerson/name/given/*"},
	{"part type", "<given>Ada", `<given partType="GIV" qualifier="CL IN" language="en">Ada`, "", ""},
	{"wrong part type", "<given>Ada", `<given partType="FAM">Ada`, RuleValue, "{child}/childPerson/name/given/@partType"},
	{"wrong qualifier", "<given>Ada", `<given qualifier="CL XX">Ada`, RuleValue, "{child}/childPerson/name/given/@qualifier"},
	{"two subjects", "</subject>", `</subject><subject><npfitlc:contentId root="2.16.840.1.113883.2.1.3.2.4.18.16" extension="COCT_TP145101GB01#Child"/><COCT_TP145101GB01.Child>` + adaNumber + `<childPerson><birthTime value="20150312"/>` + adaName + `</childPerson></COCT_TP145101GB01.Child></subject>`, RuleOneSubject, "{r}/subject"},
	{"misspelt element", "<childPerson><birthTime value=\"20150312\"/>", "<childPerson><birthtime value=\"20150312\"/>", RuleElement, "{child}/childPerson/*"},
	{"text in a record", "<CP-ISRecord>", "x<CP-ISRecord>", RuleText, "File/record[1]"},
	{"text between records", "</record>", "</record>x", RuleText, "File"},
	{"stranger between records", "</record>", "</record><id extension='1'/>", RuleElement, "File/id"},
	{"stranger after records", "</record></File>", "</record><id extension='1'/></File>", RuleElement, "File/id"},
	{"other root", "<File ", "<Files ", RuleRoot, "*"},
	{"no namespace", `xmlns="urn:hl7-org:v3" `, "", RuleRoot, "File"},
	{"other namespace", `xmlns="urn:hl7-org:v3" `, `xmlns="urn:hl7-org:v2" `, RuleRoot, "File"},
}

func (m mutant) apply(t testing.TB) string {
	body := uploadExample(t)
	if m.old != "" {
		body = edit(t, body, m.old, m.new)
	}
	if m.name == "other root" {
		body = strings.Replace(body, "</File>", "</Files>", 1)
	}
	return body
}
