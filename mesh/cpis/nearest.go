package cpis

// known holds every element and attribute name that may appear in a path of a
// fault. Any other name is a sender's own text and is shown as "*".
var known = knownNames()

func knownNames() map[string]bool {
	names := map[string]bool{"code": true, "templateId": true, "classCode": true, "moodCode": true, "typeCode": true,
		"determinerCode": true, "displayable": true, "codeSystem": true, "displayName": true, "prefix": true, "suffix": true,
		"xsi:nil": true, "xsi:type": true, "root": true, "use": true, "nullFlavor": true, "updateMode": true}
	var walk func(n *node)
	walk = func(n *node) {
		names[n.name] = true
		for i := range n.attrs {
			names[n.attrs[i].name] = true
		}
		for i := range n.slots {
			for _, c := range n.slots[i].nodes {
				walk(c)
			}
		}
	}
	walk(upload.header)
	walk(upload.record)
	walk(query)
	return names
}

func safeName(name string) string {
	if known[name] {
		return name
	}
	return "*"
}

// nearest gives the candidate that is closest in spelling, or "" when none is
// close enough to be meant.
func nearest(name string, candidates []string) string {
	best, bestDistance := "", len(name)/2+1
	if len(name) > 64 {
		return ""
	}
	for _, c := range candidates {
		if d := editDistance(name, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's, letter case counting for nothing.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if lower(a[i-1]) == lower(b[j-1]) {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
