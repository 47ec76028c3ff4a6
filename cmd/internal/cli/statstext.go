package cli

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"veneer/cmd/internal/app"
)

// statsText is what people read of an instance.
func statsText(all *instanceStats) string {
	var b strings.Builder
	s := &all.Stats
	fmt.Fprintf(&b, "Veneer %s, %s%s\n", s.Version, s.State, uptime(s))
	b.WriteString(configText(&s.Config))
	b.WriteByte('\n')
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	t := &s.Totals
	now, span := recent(s.History)
	fmt.Fprintf(w, "requests\t%d\t%s\n", t.Requests, ifSome(span, fmt.Sprintf("%.1f a second now", float64(now.Requests)/max(span.Seconds(), 1))))
	fmt.Fprintf(w, "hit ratio\t%s\t%s\n", hitRatio(t.Results), ifSome(span, hitRatio(now.Results)+" now"))
	fmt.Fprintf(w, "sent\t%s\t%s of it without an upstream\n", bytesText(t.Sent), percent(t.Saved, t.Sent))
	fmt.Fprintf(w, "stored\t%s of %s\t%s, %d responses, %d made room, %d not admitted\n",
		bytesText(s.Store.Bytes), bytesText(s.Store.Size), percent(s.Store.Bytes, s.Store.Size), s.Store.Objects, s.Store.Evictions, s.Store.Rejections)
	fmt.Fprintf(w, "results\t%s\n", resultsText(t.Results))
	_ = w.Flush() // into a Builder

	b.WriteString("\n")
	w = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROUTE\tREQUESTS\tHIT RATIO\tSENT\tSAVED\tORIGINS\tUPSTREAM\tCORS")
	for i := range all.Routes {
		r := &all.Routes[i]
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", plain(r.Name), r.Requests, hitRatio(r.Results), bytesText(r.Sent), percent(r.Saved, r.Sent), origins(r),
			cmp.Or(plain(r.Upstream), "-"), cmp.Or(r.CORS, "-"))
	}
	_ = w.Flush()

	b.WriteString("\n")
	w = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "UPSTREAM\tSERVER\tSTATE\tIN FLIGHT")
	for _, u := range s.Upstreams {
		for _, server := range u.Servers {
			state := "up"
			if !server.Healthy {
				state = "DOWN"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", plain(u.Name), plain(server.URL), state, server.InFlight)
		}
	}
	_ = w.Flush()
	return b.String()
}

// uptime says since when, rounded to seconds.
func uptime(s *app.Stats) string {
	begin, err := time.Parse(time.RFC3339, s.StartedAt)
	now, err2 := time.Parse(time.RFC3339, s.Now)
	if err != nil || err2 != nil {
		return ""
	}
	return " for " + now.Sub(begin).Round(time.Second).String()
}

func configText(c *app.ConfigState) string {
	text := fmt.Sprintf("configuration %d, %s, of %s\n", c.Generation, cmp.Or(plain(c.File), "from no file"), c.LoadedAt)
	if !c.OK {
		text += "THE LAST RELOAD FAILED, the old one runs on: " + plain(c.Error) + "\n"
	}
	return text
}

// recentPoints is how much of the history is "now".
const recentPoints = 5

// recent sums up the newest points; span is how long they are together.
func recent(h *app.History) (sum app.Counts, span time.Duration) {
	sum.Results = make(map[string]int64)
	if h == nil {
		return sum, 0
	}
	points := h.Points[max(0, len(h.Points)-recentPoints):]
	for i := range points {
		sum.Requests += points[i].Requests
		for name, n := range points[i].Results {
			sum.Results[name] += n
		}
	}
	return sum, time.Duration(len(points)) * time.Duration(h.Step) * time.Second
}

func ifSome(span time.Duration, text string) string {
	if span == 0 {
		return ""
	}
	return text
}

// hitRatio is of the requests that the cache could have answered.
func hitRatio(results map[string]int64) string {
	var all int64
	for name, n := range results {
		if name != "preflight" && name != "error" {
			all += n
		}
	}
	return percent(results["hit"]+results["stale"], all)
}

func percent(part, whole int64) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

// resultNames is the order in which people read the results.
var resultNames = [...]string{"hit", "stale", "revalidated", "collapsed", "miss", "bypass", "preflight", "error"}

func resultsText(results map[string]int64) string {
	var parts []string
	for _, name := range resultNames {
		if n := results[name]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, name))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "none")
}

func origins(r *app.RouteStats) string {
	n := len(r.Origins)
	if r.More {
		return fmt.Sprintf("%d and others", n-1)
	}
	return fmt.Sprint(n)
}

func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

// plain replaces what a terminal could take for a command.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}
