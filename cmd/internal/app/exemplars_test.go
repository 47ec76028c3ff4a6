package app

import (
	"net/http"
	"strings"
	"testing"
)

// From a bucket of an upstream's durations to the fetch that fell into it: the
// ids are those of the span upstream.fetch. A fetch that is not traced leaves
// none.
func TestExemplarsOfFetches(t *testing.T) {
	for _, sample := range []float64{1, 0} {
		r := runTraced(t, upstreamOf(t, page("Cache-Control: max-age=60")), sample, nil)
		r.get("/a")
		r.get("/a") // a hit asks nobody
		_, text := r.ask(http.MethodGet, "http://"+r.AdminAddr().String()+"/metrics", "Accept: application/openmetrics-text; version=1.0.0")
		var buckets, count string
		for line := range strings.Lines(text) {
			switch {
			case strings.HasPrefix(line, "http_client_request_duration_seconds_bucket") && strings.Contains(line, "# {"):
				buckets += line
			case strings.HasPrefix(line, "http_client_request_duration_seconds_count"):
				count += line
			}
		}
		if !strings.HasSuffix(count, " 1\n") {
			t.Errorf("sample %v: not one fetch is counted: %s", sample, count)
		}
		r.spans()
		fetches := r.collector.Named("upstream.fetch")
		if sample == 0 {
			if buckets != "" || len(fetches) > 0 {
				t.Errorf("nothing is traced, and there are exemplars:\n%s%v", buckets, fetches)
			}
			continue
		}
		if len(fetches) != 1 || strings.Count(buckets, "\n") != 1 ||
			!strings.Contains(buckets, `trace_id="`+fetches[0].Trace+`"`) || !strings.Contains(buckets, `span_id="`+fetches[0].ID+`"`) {
			t.Errorf("fetches %v, exemplars:\n%s\n%s", fetches, buckets, text)
		}
	}
}
