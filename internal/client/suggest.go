package client

import (
	"cmp"
	"slices"
	"strings"
)

// didYouMean ends a sentence about a name that does not exist.
func didYouMean(name string, all []string) string {
	switch close := similar(name, all); len(close) {
	case 0:
		return ""
	case 1:
		return ". Did you mean " + close[0] + "?"
	default:
		last := len(close) - 1
		return ". Did you mean " + strings.Join(close[:last], ", ") + " or " + close[last] + "?"
	}
}

// similar returns up to three of the names that somebody may have meant,
// closest first.
func similar(name string, all []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var list []candidate
	lower := strings.ToLower(name)
	for _, other := range all {
		d := distance(lower, strings.ToLower(other))
		if d <= max(1, len(name)/3) || len(name) >= 3 && strings.Contains(strings.ToLower(other), lower) {
			list = append(list, candidate{other, d})
		}
	}
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	var names []string
	for _, c := range list[:min(3, len(list))] {
		names = append(names, c.name)
	}
	return names
}

// distance is Levenshtein's, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
