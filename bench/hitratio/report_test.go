package hitratio

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"veneer/bench/internal/chart/charttest"
)

var sample = &Table{
	Caches: []string{"A", "B<", "C"},
	Rows: []Row{
		{"zipf", 1, []Ratio{{0.5, 0.4}, {0.25, 0.75}, {0.45, 0.5}}},
		{"zipf", 20, []Ratio{{0, 0}, {0, 0}, {1, 1}}},
		{"news", 5, []Ratio{{0.1, 0.2}, {0.3, 0.1}, {0.2, 0.2}}},
	},
}

func TestLead(t *testing.T) {
	for _, c := range []struct {
		row, cache int
		want       Ratio
	}{
		{0, 2, Ratio{-5, -25}},
		{0, 0, Ratio{5, -35}},
		{1, 2, Ratio{100, 100}},
		{2, 2, Ratio{-10, 0}},
	} {
		got := sample.Rows[c.row].Lead(c.cache)
		if diff := cmp.Diff(c.want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("row %d, cache %d: -want +got\n%s", c.row, c.cache, diff)
		}
	}
}

func TestWriteText(t *testing.T) {
	b := &strings.Builder{}
	if err := sample.WriteText(b); err != nil {
		t.Fatal(err)
	}
	want := "" +
		"trace     room            A           B<            C     to the best\n" +
		"zipf        1%   50.0  40.0   25.0  75.0   45.0  50.0     -5.0 -25.0\n" +
		"zipf       20%    0.0   0.0    0.0   0.0  100.0 100.0    +100.0 +100.0\n" +
		"news        5%   10.0  20.0   30.0  10.0   20.0  20.0    -10.0  +0.0\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// The chart is XML, and every bar says what the table says.
func TestWriteSVG(t *testing.T) {
	b := &strings.Builder{}
	if err := sample.WriteSVG(b); err != nil {
		t.Fatal(err)
	}
	texts := charttest.Texts(t, b.String())
	wantBars := []string{
		"50.0 % of requests, 40.0 % of bytes", "25.0 % of requests, 75.0 % of bytes", "45.0 % of requests, 50.0 % of bytes",
		"0.0 % of requests, 0.0 % of bytes", "0.0 % of requests, 0.0 % of bytes", "100.0 % of requests, 100.0 % of bytes",
		"10.0 % of requests, 20.0 % of bytes", "30.0 % of requests, 10.0 % of bytes", "20.0 % of requests, 20.0 % of bytes",
	}
	if diff := cmp.Diff(wantBars, texts["title"]); diff != "" {
		t.Errorf("bars: -want +got\n%s", diff)
	}
	wantTexts := []string{
		"Hit ratio in per cent: bars by requests, lines by bytes", "A", "B<", "C",
		"zipf", "0", "25", "50", "75", "100", "room for 1 %", "room for 20 %",
		"news", "0", "25", "50", "75", "100", "room for 5 %",
	}
	if diff := cmp.Diff(wantTexts, texts["text"]); diff != "" {
		t.Errorf("texts: -want +got\n%s", diff)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestWriteErrors(t *testing.T) {
	for want, write := range map[string]func(io.Writer) error{
		"cannot write the table: full": sample.WriteText,
		"cannot write the chart: full": sample.WriteSVG,
	} {
		if err := write(broken{}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
