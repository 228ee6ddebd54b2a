package hl7v2

import "strings"

// dictionary lists the fields of each segment by their data types; "*" after a type: the field repeats.
type dictionary map[string]string

// standard returns the segments of HL7 version 2.4 that messages about admissions (chapters 2, 3 and 6) hold.
func standard() dictionary {
	return dictionary{
		"MSH": "ST ST HD HD HD HD TS ST MSG ST PT VID NM ST ID ID ID ID* CE ID ID*",
		"EVN": "ID TS TS IS XCN* TS HD",
		"PID": "SI CX CX* CX* XPN* XPN* TS IS XPN* CE* XAD* IS XTN* XTN* CE CE CE CX ST DLN CX* CE* ST ID NM CE* CE CE TS ID ID IS* TS HD CE CE ST CE*",
		"PD1": "IS* IS XON* XCN* IS IS IS IS ID CX* CE ID DT XON* CE* IS DT DT IS IS IS",
		"NK1": "SI XPN* CE XAD* XTN* XTN* CE DT DT ST JCC CX XON* CE IS TS IS* IS* CE* CE IS CE ID IS CE XPN* CE CE* CE* XPN* XTN* XAD* CX* IS CE* IS ST",
		"PV1": "SI IS PL IS CX PL XCN* XCN* XCN* IS PL IS IS IS IS* IS XCN* IS CX FC* IS IS IS IS* DT* NM* NM* IS IS DT IS NM NM IS DT IS DLD CE IS IS IS " +
			"PL PL TS TS* NM NM NM NM CX IS XCN*",
		"PV2": "PL CE CE CE ST* ST IS* TS TS NM NM ST XCN* DT ID IS DT IS ID NM IS ID XON* IS IS DT IS DT DT CE IS ID TS ID ID ID ID CE CE* CE CE* CE IS IS " +
			"CE* DT TS",
		"OBX": "SI ID CE ST ?* CE ST IS NM* ID ID TS ST TS CE XCN CE* EI* TS",
		"AL1": "CE CE CE CE ST* DT",
		"DG1": "SI ID CE ST TS IS CE CE ID IS CE NM CP ST ID XCN* IS ID TS",
		"PR1": "SI IS CE ST TS IS NM XCN* IS NM XCN* XCN* CE ID CE CE* IS CE*",
		"ROL": "EI ID CE XCN* TS TS CE CE CE* CE XAD* XTN*",
		"MRG": "CX* CX* CX CX CX CX XPN*",
		"NTE": "SI ID ST* CE",
		"ACC": "TS CE ST CE ID ID XCN ST ST ID",
		"DB1": "SI IS CX* ID DT DT DT DT",
		"FHS": "ST ST ST ST ST ST TS ST ST ST ST ST",
		"BHS": "ST ST ST ST ST ST TS ST ST ST ST ST",
	}
}

// components lists the data types that have components, by the data types of those (HL7 version 2.4, chapter 2). "?" is not known.
func components(dataType string) []string {
	table := map[string]string{
		"CE": "ST ST IS ST ST IS", "CP": "MO ID NM NM CE ID", "CX": "ST ST ID HD ID HD DT DT", "DLD": "ID TS", "DLN": "ST IS DT", "DR": "TS TS",
		"EI": "ST IS ST ID", "FC": "IS TS", "FN": "ST ST ST ST ST", "HD": "IS ST ID", "JCC": "IS IS", "MO": "NM ID", "MSG": "ID ID ID",
		"PL": "IS IS IS HD IS IS IS IS ST", "PT": "ID ID", "SAD": "ST ST ST", "VID": "ID CE CE", "XAD": "SAD ST ST ST ST ID ID ST IS IS ID DR",
		"XCN": "ST FN ST ST ST ST IS IS HD ID ST ID IS HD ID CE DR ID", "XON": "ST IS NM ST ID HD IS HD ID",
		"XPN": "FN ST ST ST ST IS ID ID CE DR ID", "XTN": "ST ID ID ST NM NM NM NM ST",
	}
	return strings.Fields(table[dataType])
}

func isSegment(s string) bool {
	return len(s) == 3 && s[0] >= 'A' && s[0] <= 'Z' && isUpperOrDigit(s[1]) && isUpperOrDigit(s[2])
}

func isUpperOrDigit(c byte) bool { return c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' }
