package growth

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"veneer/bench/internal/chart/charttest"
)

// sample has what a Report may have: sizes that not all series have, a value of
// zero, text that needs escaping.
func sample() *Report {
	r := &Report{}
	time := Panel{Title: "Lookup", Over: "routes", Unit: "ns"}
	r.Add(time, "a<b", Point{1, 20})
	r.Add(Panel{Title: "Memory", Over: "objects", Unit: "KiB"}, "stored", Point{1000, 0})
	r.Add(time, "a<b", Point{1000, 55.4})
	r.Add(time, "other", Point{1, 0.25})
	r.Add(time, "other", Point{2_000_000, 1234.4})
	return r
}

func TestWriteText(t *testing.T) {
	b := &strings.Builder{}
	if err := sample().WriteText(b); err != nil {
		t.Fatal(err)
	}
	want := "" +
		"Lookup, ns                                 1        1k        2M  factor  routes\n" +
		"  a<b                                   20.0      55.4              2.77\n" +
		"  other                                0.250                1234 4937.60\n" +
		"\n" +
		"Memory, KiB                               1k  factor  objects\n" +
		"  stored                                   0        \n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// The chart is XML, and has a title for each figure that can be drawn, which
// says what the table says.
func TestWriteSVG(t *testing.T) {
	b := &strings.Builder{}
	if err := sample().WriteSVG(b); err != nil {
		t.Fatal(err)
	}
	all := charttest.Texts(t, b.String())
	texts := map[string][]string{"title": all["title"], "text": all["text"]}
	want := map[string][]string{
		"title": {"a<b: 20.0 ns at 1 routes", "a<b: 55.4 ns at 1k routes", "other: 0.250 ns at 1 routes", "other: 1234 ns at 2M routes"},
		"text": {
			"How costs grow: by what is configured, stored and connected",
			"Lookup, ns", "a<b", "other", "0.1", "1", "10", "100", "1000", "10000",
			"1", "10", "100", "1k", "10k", "100k", "1M", "10M",
			"Memory, KiB", "stored",
		},
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestWriteErrors(t *testing.T) {
	for want, write := range map[string]func(io.Writer) error{
		"cannot write the table: full": sample().WriteText,
		"cannot write the chart: full": sample().WriteSVG,
	} {
		if err := write(broken{}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
