package main

import (
	"bytes"
	"strings"
	"testing"

	"signalbox/mesh/cpis/rules"
)

func TestRulesPrintsTheTable(t *testing.T) {
	run := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := execute(t.Context(), append([]string{"rules"}, args...), &out, &errs)
		return code, out.String(), errs.String()
	}
	code, out, _ := run()
	if lines := strings.Count(out, "\n"); code != exitOK || lines != 1+len(rules.All())+len(rules.Outcomes()) {
		t.Errorf("exit %d, %d lines", code, lines)
	}
	if code, out, _ = run("--rule", "spine-telecom-ec"); code != exitOK || !strings.Contains(out, "CPF01") || !strings.Contains(out, "MISSING_MANDATORY_TELECOM_TYPE") {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, _, errs := run("--rule", "no-such-rule"); code != exitFailed || !strings.Contains(errs, "no-such-rule") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if code, out, _ = run("--markdown"); code != exitOK || !strings.Contains(out, "| `record-count` |") {
		t.Errorf("exit %d: %s", code, out)
	}
}
