package supervise

import "strings"

// nearest is the candidate that s was most likely meant to be; "" only where
// there are none.
func nearest(s string, candidates []string) string {
	best, bestDistance := "", 0
	for _, c := range candidates {
		d := 2 * distance(strings.ToLower(s), strings.ToLower(c))
		if s != "" && strings.HasPrefix(c, s) {
			d = 1
		}
		if best == "" || d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// didYouMean is the end of an error about an unknown name.
func didYouMean(s string, candidates []string) string {
	if n := nearest(s, candidates); n != "" {
		return "; did you mean " + n + "?"
	}
	return ""
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours between two short strings.
func distance(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
