package hitratio

import (
	"flag"
	"os"
	"testing"
)

var (
	full     = flag.Bool("full", false, "run TestTable on traces of full length and write hitratio.svg")
	requests = flag.Int("requests", 300_000, "length of a full trace")
	seed     = flag.Uint64("seed", 1, "seed of the full traces")
)

// contender makes a cache of so many bytes.
type contender struct {
	name string
	open func(t testing.TB, size int64) Cache
}

// contenders ends with the store, which Table.WriteText compares with the rest.
var contenders = []contender{
	{"LRU", func(_ testing.TB, size int64) Cache { return NewLRU(size) }},
	{"S3-FIFO", func(_ testing.TB, size int64) Cache { return NewS3FIFO(size) }},
	{"otter", newOtter},
	{"theine", newTheine},
	{"Veneer", newStore},
}

// replayAll replays traces through all contenders with room for each percentage
// of the footprint.
func replayAll(t *testing.T, traces []*Trace, percents ...int) *Table {
	t.Helper()
	table := &Table{}
	for _, c := range contenders {
		table.Caches = append(table.Caches, c.name)
	}
	for _, trace := range traces {
		_, footprint := trace.Footprint(overhead)
		for _, percent := range percents {
			row := Row{Trace: trace.Name, Percent: percent}
			for _, c := range contenders {
				row.Ratios = append(row.Ratios, replayOne(t, trace, c, footprint*int64(percent)/100))
			}
			table.Rows = append(table.Rows, row)
		}
	}
	return table
}

// replayOne closes the cache before the next one is opened.
func replayOne(t *testing.T, trace *Trace, c contender, size int64) (r Ratio) {
	t.Helper()
	t.Run(c.name, func(t *testing.T) { r = Replay(trace, c.open(t, size), overhead) })
	return r
}

// TestTable measures at full length: a few minutes.
func TestTable(t *testing.T) {
	if !*full {
		t.Skip("takes minutes: run with -full")
	}
	traces := Traces(*requests, *seed)
	table := replayAll(t, traces, 1, 5, 20)
	for _, trace := range traces {
		n, bytes := trace.Footprint(overhead)
		t.Logf("%s: %s; %d requests, %d objects, %d MiB", trace.Name, trace.Says, len(trace.Requests), n, bytes>>20)
	}
	if err := table.WriteText(os.Stdout); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create("hitratio.svg")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := table.WriteSVG(f); err != nil {
		t.Fatal(err)
	}
}
