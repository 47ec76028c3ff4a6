package report

import (
	"fmt"
	"html/template"
	"math"
	"time"

	"veneer/loadtest/internal/openloop"
	"veneer/loadtest/internal/scenario"
)

// charts are the drawings of one result.
func charts(r *scenario.Result) []template.HTML {
	all := []*chart{quantiles(r), overTime(r), traffic(r)}
	if len(r.Usage) > 1 {
		all = append(all, memory(r))
	}
	drawn := make([]template.HTML, len(all))
	for i, c := range all {
		drawn[i] = template.HTML(c.svg()) // #nosec G203: all text in it is escaped where it is written
	}
	return drawn
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quantiles shows each class's latency by quantile, with as much room for the
// worst of a thousand as for the better half: the x axis is the number of
// nines.
func quantiles(r *scenario.Result) *chart {
	c := &chart{title: "latency by quantile", describe: "latency in milliseconds by quantile for each class, both axes logarithmic; dashed: measured from sending"}
	least, most, largest := math.Inf(1), 0.0, int64(2)
	for i, name := range r.Load.Classes() {
		l := r.Load.Class(name)
		response, service := line{name: name, hue: i}, line{hue: i, dashed: true}
		largest = max(largest, l.Count())
		for q, rest := 0.0, 1.0; rest >= 1/float64(l.Count()); q, rest = 1-rest*0.8, rest*0.8 {
			response.points = append(response.points, point{1 / rest, ms(l.Response(q))})
			service.points = append(service.points, point{1 / rest, ms(l.Service(q))})
			least, most = min(least, ms(l.Service(q))), max(most, ms(l.Response(q)))
		}
		end := point{float64(l.Count()), ms(l.Response(1))}
		response.points, most = append(response.points, end), max(most, end.y)
		c.lines = append(c.lines, service, response)
	}
	if math.IsInf(least, 1) {
		least, most = 1, 10
	}
	c.y = logarithmic("ms", least, most)
	c.x = axis{unit: "% of requests", place: func(v float64) float64 { return math.Log(v) / math.Log(float64(largest)) }}
	for _, t := range []tick{{1, "0"}, {2, "50"}, {10, "90"}, {100, "99"}, {1000, "99.9"}, {10_000, "99.99"}, {100_000, "99.999"}} {
		if t.at <= float64(largest) {
			c.x.ticks = append(c.x.ticks, t)
		}
	}
	return c
}

// windows goes through the windows that the load had.
func windows(r *scenario.Result, visit func(second float64, w openloop.Window)) (end float64) {
	for i, w := range r.Load.Windows {
		visit((time.Duration(i) * r.Load.Grain).Seconds(), w)
	}
	return max((time.Duration(len(r.Load.Windows)) * r.Load.Grain).Seconds(), 0.1)
}

func marks(r *scenario.Result) []mark {
	var all []mark
	for _, m := range r.Marks {
		all = append(all, mark{m.At.Sub(r.Load.Began).Seconds(), m.Text})
	}
	return all
}

func overTime(r *scenario.Result) *chart {
	c := &chart{title: "latency over time", describe: "median, 99 % quantile and maximum of all requests that were due at a time", marks: marks(r)}
	middle, high, most := line{name: "median", hue: 0}, line{name: "99 %", hue: 1}, line{name: "max", hue: 2}
	least, top := math.Inf(1), 1.0
	end := windows(r, func(at float64, w openloop.Window) {
		if w.Sent == 0 {
			return
		}
		middle.points = append(middle.points, point{at, ms(w.P50)})
		high.points = append(high.points, point{at, ms(w.P99)})
		most.points = append(most.points, point{at, ms(w.Max)})
		least, top = min(least, ms(w.P50)), max(top, ms(w.Max))
	})
	c.lines = []line{middle, high, most}
	c.x, c.y = linear("s", end), logarithmic("ms", min(least, top), top)
	return c
}

func traffic(r *scenario.Result) *chart {
	c := &chart{title: "requests a second", describe: "requests that were due in a second, and as bars those that failed", marks: marks(r)}
	sent, most := line{name: "sent", hue: 0}, 1.0
	rate := func(n int) float64 { return float64(n) / r.Load.Grain.Seconds() }
	end := windows(r, func(at float64, w openloop.Window) {
		sent.points = append(sent.points, point{at, rate(w.Sent)})
		c.bars = append(c.bars, point{at, rate(w.Failed)})
		most = max(most, rate(w.Sent))
	})
	c.lines = []line{sent}
	c.x, c.y = linear("s", end), linear("1/s", most)
	return c
}

func memory(r *scenario.Result) *chart {
	const mib = 1 << 20
	c := &chart{
		title: "resident memory", describe: fmt.Sprintf("resident memory of the proxy's process over time; promised is %d MiB", r.MaxRSS/mib),
		marks: marks(r), limit: float64(r.MaxRSS) / mib,
	}
	l, most := line{hue: 0}, c.limit
	var end float64
	for _, u := range r.Usage {
		at := u.At.Sub(r.Load.Began).Seconds()
		l.points = append(l.points, point{at, float64(u.RSS) / mib})
		most, end = max(most, float64(u.RSS)/mib), max(end, at)
	}
	c.lines = []line{l}
	c.x, c.y = linear("s", end), linear("MiB", most*1.1)
	return c
}
