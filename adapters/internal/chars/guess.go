package chars

import (
	"bytes"
	"unicode/utf8"
)

// Guess tells how a sample of one byte a character, or UTF-8, is encoded: the encoding's name, what speaks for it, and what a person must ask, or
// nothing. What is valid UTF-8 and not ASCII is UTF-8: other text hardly ever is by chance.
func Guess(sample []byte) (name, why, doubt string) {
	low, high := 0, 0
	for i, b := range sample {
		switch {
		case b < utf8.RuneSelf, b == 0x92 && i > 0: // 0x92 is the apostrophe of windows-1252
		case b <= 0xa5:
			low++
		default:
			high++
		}
	}
	ascii := bytes.IndexFunc(sample, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
	switch {
	case ascii:
		return "utf-8", "there are no bytes above 127",
			"the sample is plain ASCII, so it does not show how accents are written: ask whether the encoding is utf-8 or windows-1252"
	case utf8.Valid(sample):
		return "utf-8", "the bytes above 127 are valid UTF-8", ""
	case low > 0 && high == 0:
		return "ibm850", "the bytes above 127 are letters in that old encoding and marks in windows-1252",
			"bytes between 128 and 165 are letters in ibm850: look at a name with an accent"
	}
	return "windows-1252", "there are bytes above 127 that are no UTF-8",
		"bytes above 127 that are no UTF-8 are windows-1252 in most extracts of this country: look at a name with an accent"
}
