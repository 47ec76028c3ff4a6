//go:build !race

package corslayer

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// lists are policies by the length of their list, each with an origin that it
// lets in.
func lists(t testing.TB) map[string]struct {
	policy *Policy
	origin string
} {
	out := make(map[string]struct {
		policy *Policy
		origin string
	})
	for _, l := range []struct {
		name, form, origin string
		n                  int
	}{
		{"1 origin", "https://app%d.example.com", "https://app0.example.com", 1},
		{"1000 origins", "https://app%d.example.com", "https://app500.example.com", 1000},
		{"100000 origins", "https://app%d.example.com", "https://app50000.example.com", 100_000},
		{"1 pattern", "https://*.shop%d.example.com", "https://a.shop0.example.com", 1},
		{"1000 patterns", "https://*.shop%d.example.com", "https://a.shop500.example.com", 1000},
		{"1000 patterns inside a label", "https://app-%d-*.example.com", "https://app-500-x.example.com", 1000},
	} {
		c := Config{Dynamic: true, Credentials: true, Expose: []string{"ETag"}}
		for i := range l.n {
			c.Origins = append(c.Origins, fmt.Sprintf(l.form, i))
		}
		out[l.name] = struct {
			policy *Policy
			origin string
		}{compile(t, c), l.origin}
	}
	return out
}

// medians measures two functions in turns, so that both see the same machine,
// and returns the median time of a round of each.
func medians(a, b func()) (x, y time.Duration) {
	const rounds, calls = 101, 400
	var times [2][]time.Duration
	for range rounds {
		for i, f := range []func(){a, b} {
			began := time.Now()
			for range calls {
				f()
			}
			times[i] = append(times[i], time.Since(began))
		}
	}
	slices.Sort(times[0])
	slices.Sort(times[1])
	return times[0][rounds/2], times[1][rounds/2]
}

// within reports whether a costs at most limit times what b costs. A machine
// that does other things can make it look worse, never better, so the best of
// a few attempts counts.
func within(t *testing.T, limit float64, a, b func()) {
	t.Helper()
	var x, y time.Duration
	for range 5 {
		if x, y = medians(a, b); float64(x) <= limit*float64(y) {
			return
		}
	}
	t.Errorf("%v against %v is more than %.1f times", x, y, limit)
}

// The time of a decision, and of the fields that follow from it, does not
// depend on the length of the list: a hundred thousand rules cost what the
// caches of the processor miss, and no more.
func TestTimeDoesNotDependOnTheList(t *testing.T) {
	all := lists(t)
	for long, short := range map[string]string{
		"1000 origins": "1 origin", "100000 origins": "1 origin", "1000 patterns": "1 pattern", "1000 patterns inside a label": "1 pattern",
	} {
		for _, refused := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, refused %v", long, refused), func(t *testing.T) {
				var f [2]func()
				for i, name := range []string{long, short} {
					lines := []string{all[name].origin}
					if refused {
						lines[0] = stranger
					}
					p, h, request := all[name].policy, make(http.Header, 8), http.Header{fieldOrigin: lines}
					f[i] = func() {
						clear(h)
						p.Apply(h, request, p.Decide(http.MethodGet, lines))
					}
				}
				within(t, 3, f[0], f[1])
			})
		}
	}
}

// What is hostile costs no more than what is refused: neither time nor memory.
func TestHostileHeadersCostNoMore(t *testing.T) {
	hostile := map[string]*http.Request{
		"1 MiB of names":   ask(app, "PUT", strings.Repeat("authorization,", 1<<20/14)),
		"1 MiB of commas":  ask(app, "PUT", strings.Repeat(",", 1<<20)),
		"1 MiB, one name":  ask(app, "PUT", strings.Repeat("a", 1<<20)),
		"1 MiB in lines":   ask(app, "PUT", slices.Repeat([]string{strings.Repeat("range,", 1000)}, 175)...),
		"1 MiB of method":  ask(app, strings.Repeat("P", 1<<20)),
		"1 MiB of Origin":  ask("https://"+strings.Repeat("a.", 1<<19)+"example", "PUT"),
		"1 MiB, minimal":   ask(app, "PUT", strings.Repeat("authorization,", 1<<20/14)),
		"64 names refused": ask(app, "PUT", strings.Repeat("authorization,", 3)+"x-other"),
	}
	for name, r := range hostile {
		t.Run(name, func(t *testing.T) {
			p := compile(t, with(partner, func(c *Config) {
				c.MinimalPreflight = strings.HasSuffix(name, "minimal")
				c.Methods = strings.Fields("GET POST PUT DELETE QUERY COPY MOVE LOCK UNLOCK PROPFIND REPORT SEARCH")
			}))
			w := newWriter()
			preflight := func(r *http.Request) func() {
				return func() {
					w.reset()
					p.Preflight(w, r, p.Decide(r.Method, r.Header[fieldOrigin]))
				}
			}
			refused := ask(app, "PUT", "content-type,x-other")
			if n, m := testing.AllocsPerRun(100, preflight(r)), testing.AllocsPerRun(100, preflight(refused)); n > m {
				t.Errorf("%v allocations, and %v for what is refused", n, m)
			}
			within(t, 1.5, preflight(r), preflight(refused))
			if w.status != http.StatusForbidden {
				t.Errorf("answered %d", w.status)
			}
		})
	}
}

// Nor does an Origin of any length: what is too long for an origin is not even
// hashed.
func TestLongOriginCostsNoMore(t *testing.T) {
	for name, l := range lists(t) {
		h := make(http.Header, 8)
		actual := func(text string) func() {
			lines := []string{text}
			request := http.Header{fieldOrigin: lines}
			return func() {
				clear(h)
				l.policy.Apply(h, request, l.policy.Decide(http.MethodGet, lines))
			}
		}
		t.Run(name, func(t *testing.T) {
			within(t, 1.5, actual("https://"+strings.Repeat("a.", 1<<19)+"example"), actual(stranger))
		})
	}
}

// Within the limits the cost is bounded by the bytes, whatever they are.
func TestEmptyElementsAreCheap(t *testing.T) {
	p, w := compile(t, partner), newWriter()
	preflight := func(r *http.Request) func() {
		return func() {
			w.reset()
			p.Preflight(w, r, p.Decide(r.Method, r.Header[fieldOrigin]))
		}
	}
	names := ask(app, "PUT", strings.Repeat("authorization,", 64))
	within(t, 25, preflight(ask(app, "PUT", strings.Repeat(",", 8191))), preflight(names))
}
