package mappings

import "strings"

// maxDiff bounds the work of a readable difference; beyond it both texts are shown whole.
const maxDiff = 2000

// diff writes want against got line by line: "-" only in want, "+" only in got, " " in both.
func diff(want, got string) string {
	a, b := splitLines(want), splitLines(got)
	var out strings.Builder
	write := func(sign byte, line string) { out.WriteString("  " + string(sign) + " " + line + "\n") }
	if len(a) > maxDiff || len(b) > maxDiff {
		for _, line := range a {
			write('-', line)
		}
		for _, line := range b {
			write('+', line)
		}
		return out.String()
	}
	common := commonLengths(a, b)
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			write(' ', a[i])
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			write('-', a[i])
			i++
		default:
			write('+', b[j])
			j++
		}
	}
	return out.String()
}

// commonLengths holds, for each pair of tails, the length of their longest common subsequence.
func commonLengths(a, b []string) [][]int {
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	return table
}

func splitLines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}
