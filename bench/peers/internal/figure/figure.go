// Package figure sums up what several rounds have measured.
package figure

import (
	"math"
	"slices"
)

// Summary is a set of values in five numbers, after Tukey. The zero Summary is
// that of no values.
type Summary struct {
	N      int     `json:"n"`
	Min    float64 `json:"min"`
	Lower  float64 `json:"lower"`
	Median float64 `json:"median"`
	Upper  float64 `json:"upper"`
	Max    float64 `json:"max"`
}

// Summarize returns the Summary of values, which it leaves as they are.
func Summarize(values []float64) Summary {
	if len(values) == 0 {
		return Summary{}
	}
	sorted := slices.Sorted(slices.Values(values))
	return Summary{
		N: len(sorted), Min: sorted[0], Max: sorted[len(sorted)-1],
		Lower: quantile(sorted, 0.25), Median: quantile(sorted, 0.5), Upper: quantile(sorted, 0.75),
	}
}

// quantile interpolates between the two values on either side, so that the
// median of an even number is the mean of the middle two.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low, share := math.Modf(at)
	i := int(low)
	if i+1 >= len(sorted) {
		return sorted[i]
	}
	return sorted[i] + share*(sorted[i+1]-sorted[i])
}

// Ratios divides values by those of base that were measured in the same round.
// What a whole round suffers from, a busy machine or a slow clock, is in both
// and goes out of the ratio. NaN marks a round without a value, and gives none.
func Ratios(values, base []float64) []float64 {
	var ratios []float64
	for i := range min(len(values), len(base)) {
		if r := values[i] / base[i]; !math.IsNaN(r) && !math.IsInf(r, 0) {
			ratios = append(ratios, r)
		}
	}
	return ratios
}
