package figure

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSummarize(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		want   Summary
	}{
		{"none", nil, Summary{}},
		{"one", []float64{3}, Summary{1, 3, 3, 3, 3, 3}},
		{"two", []float64{4, 2}, Summary{2, 2, 2.5, 3, 3.5, 4}},
		{"three", []float64{9, 1, 2}, Summary{3, 1, 1.5, 2, 5.5, 9}},
		{"four", []float64{4, 3, 2, 1}, Summary{4, 1, 1.75, 2.5, 3.25, 4}},
		{"five", []float64{5, 1, 4, 2, 3}, Summary{5, 1, 2, 3, 4, 5}},
	} {
		before := append([]float64(nil), c.values...)
		if diff := cmp.Diff(c.want, Summarize(c.values)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if diff := cmp.Diff(before, c.values); diff != "" {
			t.Errorf("%s: the values have changed: %s", c.name, diff)
		}
	}
}

func TestRatios(t *testing.T) {
	for _, c := range []struct {
		name               string
		values, base, want []float64
	}{
		{"each by its own round", []float64{2, 9, 4}, []float64{1, 3, 4}, []float64{2, 3, 1}},
		{"a round without a value", []float64{2, math.NaN(), 4}, []float64{1, 3, math.NaN()}, []float64{2}},
		{"a base of nothing", []float64{2, 3}, []float64{0, 3}, []float64{1}},
		{"a run that was cut", []float64{2, 3}, []float64{2}, []float64{1}},
		{"none", nil, nil, nil},
	} {
		if diff := cmp.Diff(c.want, Ratios(c.values, c.base)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
