package mappings

// RuleInfo says where a rule is written and what it reads, for explanations and coverage.
type RuleInfo struct {
	Target string // target field
	File   string // as problems name it
	Line   int    // 1-based
	From   string // selector or field name as written; empty for a constant and an expression
}

// Rules lists the rules in the order in which they run.
func (m *Mapping) Rules() []RuleInfo {
	out := make([]RuleInfo, len(m.rules))
	for i, r := range m.rules {
		out[i] = RuleInfo{Target: r.target.path, File: r.file, Line: r.line, From: r.from}
	}
	return out
}
