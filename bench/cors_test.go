package bench

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/rs/cors"

	"veneer/bench/internal/fixture"
	"veneer/bench/internal/measure"
	"veneer/corslayer"
)

// corsCase is one request under one list of rules.
type corsCase struct {
	name    string
	rules   []string
	request *http.Request
}

// corsRules returns n exact origins, or n patterns: the first is the one that
// a client of corsCases has.
func corsRules(n int, form string) []string {
	rules := make([]string, n)
	for i := range rules {
		rules[i] = fmt.Sprintf(form, i)
	}
	return rules
}

func corsRequest(method, origin string, fields ...string) *http.Request {
	r := httptest.NewRequest(method, "http://site.example/path", nil)
	if origin != "" {
		r.Header["Origin"] = []string{origin}
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header[fields[i]] = []string{fields[i+1]}
	}
	return r
}

// corsCases are the same for both engines. The client's origin is in the
// middle of the list.
func corsCases() []corsCase {
	const acrm, acrh = "Access-Control-Request-Method", "Access-Control-Request-Headers"
	var all []corsCase
	for _, list := range []struct {
		name, form, origin string
		n                  int
	}{
		{"1 origin", "https://app%d.example.com", "https://app0.example.com", 1},
		{"1000 origins", "https://app%d.example.com", "https://app500.example.com", 1000},
		{"100000 origins", "https://app%d.example.com", "https://app50000.example.com", 100_000},
		{"1000 patterns", "https://*.shop%d.example.com", "https://a.shop500.example.com", 1000},
	} {
		rules := corsRules(list.n, list.form)
		for _, c := range []corsCase{
			{"allowed", rules, corsRequest("GET", list.origin)},
			{"refused", rules, corsRequest("GET", "https://evil.example.net")},
			{"no Origin", rules, corsRequest("GET", "")},
			{"preflight", rules, corsRequest("OPTIONS", list.origin, acrm, "PUT", acrh, "authorization,content-type")},
			{"preflight refused", rules, corsRequest("OPTIONS", "https://evil.example.net", acrm, "PUT", acrh, "authorization,content-type")},
			{"preflight hostile", rules, corsRequest("OPTIONS", list.origin, acrm, "PUT", acrh, strings.Repeat("authorization,", 1<<20/14))},
		} {
			c.name = list.name + "/" + c.name
			all = append(all, c)
		}
	}
	return all
}

// ownEngine is corslayer as the engine uses it, around a handler that does
// nothing.
func ownEngine(t testing.TB, rules []string) http.Handler {
	p, problems := corslayer.Compile(corslayer.Config{
		Origins: rules, Dynamic: true, Methods: []string{"GET", "POST", "PUT"}, Headers: []string{"Authorization", "Content-Type"},
	})
	if p == nil {
		t.Fatal(problems)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := p.Decide(r.Method, r.Header["Origin"])
		if r.Method == http.MethodOptions && p.Preflight(w, r, d) {
			return
		}
		p.Apply(w.Header(), r.Header, d)
	})
}

// otherEngine is github.com/rs/cors with the same rules.
func otherEngine(rules []string) http.Handler {
	return cors.New(cors.Options{
		AllowedOrigins: rules, AllowedMethods: []string{"GET", "POST", "PUT"}, AllowedHeaders: []string{"Authorization", "Content-Type"}, MaxAge: 7200,
	}).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
}

// BenchmarkCORS measures a request through both engines, map of fields and
// all.
func BenchmarkCORS(b *testing.B) {
	for _, c := range corsCases() {
		own, other := ownEngine(b, c.rules), otherEngine(c.rules)
		for _, e := range []struct {
			name string
			h    http.Handler
		}{{"veneer", own}, {"rs-cors", other}} {
			b.Run(c.name+"/"+e.name, func(b *testing.B) {
				b.ReportAllocs()
				for serve := serving(e.h, c.request); b.Loop(); {
					serve()
				}
			})
		}
	}
}

// TestCORSBeside prints both engines side by side, interleaved in one run, when
// VENEER_BENCH is set: a ratio of one run means something on any machine.
func TestCORSBeside(t *testing.T) {
	if os.Getenv("VENEER_BENCH") == "" {
		t.Skip("set VENEER_BENCH=1 to measure")
	}
	out := tabwriter.NewWriter(t.Output(), 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "case\tveneer\trs/cors\tratio\tallocations\trs/cors\t")
	for _, c := range corsCases() {
		own, other := ownEngine(t, c.rules), otherEngine(c.rules)
		times := measure.Interleaved(31, serving(own, c.request), serving(other, c.request))
		x, y := times[0].Median(), times[1].Median()
		fmt.Fprintf(out, "%s\t%.0f ns\t%.0f ns\t%.2f\t%.0f\t%.0f\t\n", c.name, x, y, x/y, allocations(own, c.request), allocations(other, c.request))
	}
	out.Flush()
}

func allocations(h http.Handler, r *http.Request) float64 {
	return testing.AllocsPerRun(100, serving(h, r))
}

// serving is one request to a handler, into a sink.
func serving(h http.Handler, r *http.Request) func() {
	w := fixture.NewSink()
	return func() { w.Serve(h, r) }
}
