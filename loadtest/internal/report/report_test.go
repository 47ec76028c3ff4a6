package report

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"veneer/loadtest/internal/openloop"
	"veneer/loadtest/internal/process"
	"veneer/loadtest/internal/scenario"
)

// sample is a run of two seconds in which every tenth request is slow and
// fails, and one promise was not kept.
func sample(t *testing.T) *scenario.Result {
	t.Helper()
	var load *openloop.Result
	var began time.Time
	synctest.Test(t, func(t *testing.T) {
		var err error
		began = time.Now()
		load, err = openloop.Run(t.Context(), openloop.Config{Schedule: openloop.Constant(1000, 2*time.Second), Workers: 300, Window: 250 * time.Millisecond},
			func(_ context.Context, n int) openloop.Outcome {
				if n%10 == 0 {
					<-time.After(100 * time.Millisecond)
					return openloop.Outcome{Class: "slow", Failed: true}
				}
				<-time.After(time.Millisecond)
				return openloop.Outcome{Class: "fast"}
			})
		if err != nil {
			t.Fatal(err)
		}
	})
	s := scenario.All()[0]
	return &scenario.Result{
		Scenario: s, Options: scenario.Options{Rate: 1000, Duration: 2 * time.Second, Seed: 5, Secure: true}, Load: load,
		Promises: []scenario.Promise{
			{Text: "nothing is lost", Kept: true, Got: "0 of 2000"},
			{Text: "nothing is <slow>", Got: `200 of 2000; the first: Origin ["a" & 'b'] </td><script>`},
		},
		Usage:  []process.Usage{{At: began, RSS: 20 << 20}, {At: began.Add(time.Second), RSS: 60 << 20}, {At: began.Add(2 * time.Second), RSS: 50 << 20}},
		MaxRSS: 100 << 20, Statuses: map[string]int{"slow 500": 200, "fast 200": 1800}, Upstream: 42,
		Marks: []scenario.Mark{{At: began.Add(time.Second), Text: "gone"}},
	}
}

func TestPage(t *testing.T) {
	var b strings.Builder
	about := About{When: time.Unix(1_800_000_000, 0), Machine: "2 processors", Program: "veneer"}
	if err := HTML(&b, about, []*scenario.Result{sample(t)}); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	charts := 0
	d := xml.NewDecoder(strings.NewReader(page))
	d.Entity = xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the page is not well formed: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok {
			switch e.Name.Local {
			case "svg":
				charts++
			case "script", "img", "link", "iframe":
				t.Errorf("the page has a %s", e.Name.Local)
			}
		}
	}
	if charts != 4 {
		t.Errorf("%d charts, want 4", charts)
	}
	for _, foreign := range []string{"http:", "https:", "src=", "url(", "@import", "NaN", "Inf"} {
		if strings.Contains(page, foreign) {
			t.Errorf("the page has %q in it", foreign)
		}
	}
	for _, want := range []string{
		"1 broken promises", "nothing is &lt;slow&gt;", "200 of 2000", "2027-01-15", "HTTP/2, TLS, 1000 requests a second for 2s, seed 5",
		"42 reached the upstream", "fast 200: 1800, slow 500: 200", "<td>slow</td><td>200</td><td>100ms</td>", ">99.9<", ">gone<", ">promised<",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

// Nothing was sent: there is still a page.
func TestPageOfNothing(t *testing.T) {
	load, err := openloop.Run(t.Context(), openloop.Config{Schedule: openloop.Constant(1, 0), Workers: 1}, func(context.Context, int) openloop.Outcome { return openloop.Outcome{} })
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := HTML(&b, About{}, []*scenario.Result{{Scenario: scenario.All()[0], Load: load}}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"NaN", "Inf"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("the page has %s in it", bad)
		}
	}
	if !strings.Contains(b.String(), "Every promise was kept.") {
		t.Error("the page says nothing of promises")
	}
}

func TestPageThatCannotBeWritten(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	if err := HTML(w, About{}, nil); err == nil {
		t.Error("no error")
	}
}

func TestText(t *testing.T) {
	var b strings.Builder
	Text(&b, sample(t))
	const want = `steady (HTTP/2, TLS, 1000 requests a second for 2s, seed 5): 2000 requests in 2.09s, 2 promises, 1 BROKEN
    fast             1800 requests   50 % 1ms       99 % 1ms       max 1ms
    slow              200 requests   50 % 100ms     99 % 100ms     max 100ms
    BROKEN: nothing is <slow>
            200 of 2000; the first: Origin ["a" & 'b'] </td><script>
    kept: nothing is lost (0 of 2000)
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAxes(t *testing.T) {
	ticks := func(a axis) string {
		var all []string
		for _, k := range a.ticks {
			all = append(all, fmt.Sprintf("%s at %.2f", k.text, a.place(k.at)))
		}
		return strings.Join(all, ", ")
	}
	for _, c := range []struct {
		got  axis
		want string
	}{
		{linear("s", 4), "0 at 0.00, 1 at 0.25, 2 at 0.50, 3 at 0.75, 4 at 1.00"},
		{linear("s", 60), "0 at 0.00, 20 at 0.33, 40 at 0.67, 60 at 1.00"},
		{linear("s", 0), "0 at 0.00, 0.2 at 0.20, 0.4 at 0.40, 0.6 at 0.60, 0.8 at 0.80, 1 at 1.00"},
		{logarithmic("ms", 0.3, 50), "0.1 at 0.00, 1 at 0.33, 10 at 0.67, 100 at 1.00"},
		{logarithmic("ms", 1, 1), "1 at 0.00, 10 at 1.00"},
	} {
		if got := ticks(c.got); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	if at := logarithmic("ms", 1, 10).place(0); math.IsInf(at, 0) || math.IsNaN(at) || at > 0 {
		t.Errorf("zero has the place %v on a logarithmic axis", at)
	}
}

// The curve of quantiles goes through what was measured: half of the way up to
// the slow ones, which are a tenth.
func TestQuantileCurve(t *testing.T) {
	c := quantiles(sample(t))
	if len(c.lines) != 4 || c.lines[1].name != "fast" || c.lines[3].name != "slow" || !c.lines[0].dashed {
		t.Fatalf("lines %+v", c.lines)
	}
	for _, p := range c.lines[3].points {
		if p.y < 99 || p.y > 101 || p.x < 1 || p.x > 200 {
			t.Errorf("slow: %+v, want about 100 ms", p)
		}
	}
	if last := c.lines[1].points[len(c.lines[1].points)-1]; last.x != 1800 || last.y > 1.1 {
		t.Errorf("fast ends at %+v, want its maximum at the 1800th", last)
	}
}
