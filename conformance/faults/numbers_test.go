//go:build unix

package faults

import "fmt"

// withCheck adds the check digit to nine digits of an NHS number (modulus 11); some have none.
func withCheck(stem int) (string, bool) {
	sum := 0
	for place, s := 0, fmt.Sprint(stem); place < 9; place++ {
		sum += int(s[place]-'0') * (10 - place)
	}
	check := (11 - sum%11) % 11
	return fmt.Sprintf("%d%d", stem, check), check != 10
}
