package browser

import (
	"fmt"
	"strings"
	"testing"
)

// passConfig has a route of its own for each case, since a route learns what
// its application does: number of them, and one for each vary_fix.
func passConfig(number int) string {
	var b strings.Builder
	b.WriteString(`
cors:
  always: { mode: pass, vary_fix: always }
  never:  { mode: pass, vary_fix: never }
upstreams:
  app: { servers: ["{app}"] }
routes:
  - { match: { path: /always/ }, upstream: app, cors: always }
  - { match: { path: /never/ }, upstream: app, cors: never }
  - { match: { path: /plain/ }, upstream: app, cors: off }
`)
	for i := range number {
		fmt.Fprintf(&b, "  - { match: { path: /%d/ }, upstream: app, cors: pass }\n", i)
	}
	return b.String()
}

// TestBrowserFaultyApplications is the reason for pass mode: the three faulty
// applications that other caches make worse, each with its pages in both
// orders, and with another client's request without Origin before them or not.
func TestBrowserFaultyApplications(t *testing.T) {
	var trials []trial
	for _, app := range []string{"forgets", "when-sent", "when-allowed"} {
		for _, order := range [][2]string{{"A", "B"}, {"B", "A"}} {
			for _, before := range []string{"nobody", "curl"} {
				path := fmt.Sprintf("/%d/x", len(trials))
				get := path + "?cors=" + app + "&cc=max-age=60"
				c := trial{name: fmt.Sprintf("%s: %s before %s before %s", app, before, order[0], order[1])}
				count := 0
				answer := func(origin string) string {
					count++
					c.calls = append(c.calls, "GET "+path+" "+origin)
					return fmt.Sprintf("%d %s", count, origin)
				}
				if before == "curl" {
					c.steps = append(c.steps, step{at: "curl", get: get, want: fmt.Sprintf("200 %q [uri-miss stored]", answer("-"))})
				}
				first, second := answer(order[0]), answer(order[1])
				c.steps = append(c.steps,
					step{at: order[0], get: get, want: fmt.Sprintf("cors 200 %q [uri-miss stored]", first)},
					step{at: order[1], get: get, want: fmt.Sprintf("cors 200 %q [uri-miss stored]", second)},
					step{at: order[0], get: get, want: fmt.Sprintf("cors 200 %q [hit]", first)},
					step{at: order[1], get: get, want: fmt.Sprintf("cors 200 %q [hit]", second)},
				)
				trials = append(trials, c)
			}
		}
	}
	set(t, passConfig(len(trials))).play(t, trials)
}

func TestBrowserPass(t *testing.T) {
	set(t, passConfig(8)).play(t, []trial{
		{
			name: "control: an application that forgets Vary, without Veneer, in the browser's cache alone",
			steps: []step{
				{at: "A", get: "{X}/1?cors=forgets&cc=max-age=60", want: `cors 200 "1 A"`},
				{at: "B", get: "{X}/1?cors=forgets&cc=max-age=60", want: `blocked AllowOriginMismatch`},
			},
			calls: []string{"GET /1 A"},
		},
		{
			name: "control: one that sends Vary when an Origin came, without Veneer",
			steps: []step{
				{at: "navigate", get: "{X}/2?cors=when-sent&cc=max-age=60", want: `document 200 "1 -"`},
				{at: "A", get: "{X}/2?cors=when-sent&cc=max-age=60", want: `blocked MissingAllowOriginHeader`},
			},
			calls: []string{"GET /2 -"},
		},
		{
			name: "control: one that sends Vary to whom it allows, without Veneer",
			steps: []step{
				{at: "navigate", get: "{X}/3?cors=when-allowed&cc=max-age=60", want: `document 200 "1 -"`},
				{at: "A", get: "{X}/3?cors=when-allowed&cc=max-age=60", want: `blocked MissingAllowOriginHeader`},
			},
			calls: []string{"GET /3 -"},
		},
		{
			name: "control: vary_fix never leaves the fault to the browser",
			steps: []step{
				{at: "A", get: "/never/4?cors=forgets&cc=max-age=60", want: `cors 200 "1 A" [uri-miss stored]`},
				{at: "B", get: "/never/4?cors=forgets&cc=max-age=60", want: `blocked AllowOriginMismatch`},
			},
			calls: []string{"GET /never/4 A"},
		},
		{
			name: "A3: once a route is marked, responses without Origin vary, too",
			steps: []step{
				{at: "A", get: "/0/mark?cors=forgets", want: `cors 200 "1 A" [uri-miss no-freshness]`},
				{at: "P", get: "/0/x?cors=when-sent&cc=max-age=60", want: `basic 200 "1 -" [uri-miss stored]`},
				{at: "A", get: "/0/x?cors=when-sent&cc=max-age=60", want: `cors 200 "2 A" [uri-miss stored]`},
			},
		},
		{
			name: "A3: and before it is marked the same browser has a response that nobody can take back",
			steps: []step{
				{at: "P", get: "/1/x?cors=when-sent&cc=max-age=60", want: `basic 200 "1 -" [uri-miss stored]`},
				{at: "A", get: "/1/x?cors=when-sent&cc=max-age=60", want: `blocked MissingAllowOriginHeader`},
			},
		},
		{
			name: "A3: vary_fix always does not wait to be shown",
			steps: []step{
				{at: "P", get: "/always/5?cors=when-sent&cc=max-age=60", want: `basic 200 "1 -" [uri-miss stored]`},
				{at: "A", get: "/always/5?cors=when-sent&cc=max-age=60", want: `cors 200 "2 A" [uri-miss stored]`},
				{at: "B", get: "/always/5?cors=when-sent&cc=max-age=60", want: `cors 200 "3 B" [uri-miss stored]`},
			},
		},
		{
			name: "A5: equal doubles are made one, others are the application's fault",
			steps: []step{
				{at: "A", get: "/2/x?cors=twice", want: `cors 200 "1 A" [uri-miss no-freshness]`},
				{at: "A", get: "/2/y?cors=two", want: `blocked MultipleAllowOriginValues`},
			},
		},
		{
			name: "A4: an origin that is neither the page's nor everybody's is not stored",
			steps: []step{
				{at: "A", get: "/3/x?cors=wrong&cc=max-age=0,s-maxage=60", want: `blocked AllowOriginMismatch`},
				{at: "A", get: "/3/x?cors=right&cc=max-age=0,s-maxage=60", want: `cors 200 "2 A" [uri-miss stored]`},
			},
		},
		{
			name: "a right application: each origin its own, 304 and all",
			steps: []step{
				{at: "A", get: "/4/x?cors=right&etag=v1&cc=max-age=60", want: `cors 200 "1 A" [uri-miss stored]`},
				{at: "B", get: "/4/x?cors=right&etag=v1&cc=max-age=60", want: `cors 200 "1 A" [304 uri-miss stored]`},
				{at: "A", get: "/4/x?cors=right&etag=v1&cc=max-age=60", want: `cors 200 "1 A" [304 hit]`},
				{at: "N", get: "/4/x?cors=right&etag=v1&cc=max-age=60", want: `cors 200 "3 null" [uri-miss stored]`},
			},
			calls: []string{"GET /4/x A", "GET /4/x B", "GET /4/x null"},
		},
		{
			name: "an application that allows everybody",
			steps: []step{
				{at: "A", get: "/5/x?cors=any&cc=max-age=60", want: `cors 200 "1 A" [uri-miss stored]`},
				{at: "C", get: "/5/x?cors=any&cc=max-age=60", want: `cors 200 "1 A" [browser]`},
			},
		},
		{
			name: "an application without CORS",
			steps: []step{
				{at: "A", get: "/6/x?cc=max-age=60", want: `blocked MissingAllowOriginHeader`},
				{at: "P", get: "/6/x?cc=max-age=60", want: `basic 200 "2 -" [uri-miss stored]`},
			},
		},
	})
}
