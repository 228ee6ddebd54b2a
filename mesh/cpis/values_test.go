package cpis

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The hand-written checks must agree with the patterns that the schema gives.
func TestValuesAgreeWithThePatterns(t *testing.T) {
	cases := []struct {
		name, alphabet, pattern string
		check                   func(string) bool
	}{
		{"ts", `[0-9]{0,15}(\.[0-9]{0,3})?([+-][0-9]{0,5})?`, `^([0-9]{1,8}|([0-9]{9,14}|[0-9]{14}\.[0-9]+)([+\-][0-9]{1,4})?)$`, isTime},
		{"plan date", `(1[89]|2[01])[0-9]{2}[01][0-9][0-3][0-9][0-2][0-9][0-6][0-9]`, `^(19|20)[0-9][0-9](0[1-9]|1[012])(0[1-9]|[12][0-9]|3[01])(0[0-9]|1[0-9]|2[0-3])([0-5][0-9])$`, isPlanDate},
		{"plan date length", `[0-9]{10,14}`, `^(19|20)[0-9][0-9](0[1-9]|1[012])(0[1-9]|[12][0-9]|3[01])(0[0-9]|1[0-9]|2[0-3])([0-5][0-9])$`, isPlanDate},
		{"telecom", `(tel:|tel|)\+{0,2}[0-9a]{0,4}`, `^tel:(\+|\+?[0-9]+)$`, isTelecom},
		{"uuid", `[0-9A-G]{7,8}(-[0-9A-Fa]{4}){2,3}-[0-9A-F]{12}`, `^[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}$`, isUUID},
		{"integer", `[+-]{0,2}[0-9x]{0,3}`, `^[+-]?[0-9]+$`, (&attrRule{kind: valueInteger}).accepts},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			pattern, texts := regexp.MustCompile(c.pattern), rapid.StringMatching(c.alphabet)
			rapid.Check(t, func(rt *rapid.T) {
				v := texts.Draw(rt, "value")
				require.Equal(rt, pattern.MatchString(v), c.check(v), v)
			})
		})
	}
}

func TestIntegerSigns(t *testing.T) {
	rule := attrRule{kind: valueInteger}
	for v, want := range map[string]bool{"4": true, "+4": true, "-1": true, " 4\n": true, "": false, "-": false, "+-4": false, "-+4": false, "4.0": false} {
		require.Equal(t, want, rule.accepts(v), v)
	}
}

func TestCalendar(t *testing.T) {
	for v, want := range map[string]bool{
		"202602280000": true, "202602290000": false, "202402290000": true, "202604310000": false, "20260101": true,
		"202601": true, "2026": true, "2026013": false, "": false, "20260101235959": true, "20260101236000": false,
		"20260101+0100": true, "20260101000000.5": true, "190002290000": false, "200002290000": true,
	} {
		require.Equal(t, want, isCalendar(v), v)
	}
}

func TestTokensAndBase64(t *testing.T) {
	use := attrRule{kind: valueTokens, allowed: telecomUses}
	for v, want := range map[string]bool{"WP": true, " WP\tEC ": true, "": true, "wp": false, "WP|EC": false, "|": false} {
		require.Equal(t, want, use.accepts(v), v)
	}
	exact := attrRule{kind: valueExact, allowed: organisations}
	require.True(t, exact.accepts(OIDSite))
	require.False(t, exact.accepts(" "+OIDSite))
	require.False(t, exact.accepts(""))
	binary := attrRule{kind: valueBase64}
	require.True(t, binary.accepts("QUJD RA=="))
	require.False(t, binary.accepts("QUJDR*=="))
	token := attrRule{kind: valueToken}
	require.True(t, token.accepts(" text/plain "))
	require.False(t, token.accepts("text plain"))
}

func TestNearest(t *testing.T) {
	names := []string{"birthTime", "childPerson", "id"}
	require.Equal(t, "birthTime", nearest("birthtime", names))
	require.Equal(t, "childPerson", nearest("chldPersn", names))
	require.Empty(t, nearest("somethingElse", names))
	require.Empty(t, nearest("", names))
	require.Equal(t, 3, editDistance("kitten", "sitting"))
}
