package app

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"veneer/cache"
	"veneer/cache/cachestatus"
	"veneer/cmd/internal/admin"
	"veneer/cmd/internal/config"
	"veneer/cmd/internal/live"
	"veneer/corslayer"
)

// Counts is how requests were answered: the answers by result, and the bytes of
// content that clients got, of which Saved had not to come from an upstream for
// them.
type Counts struct {
	Requests int64            `json:"requests"`
	Results  map[string]int64 `json:"results"`
	Sent     int64            `json:"bytes_sent"`
	Saved    int64            `json:"bytes_saved"`
}

// countsOf names the results; those at zero only where all are wanted.
func countsOf(c *live.Counts, all bool) Counts {
	j := Counts{Requests: c.Requests(), Results: make(map[string]int64), Sent: c.Sent, Saved: c.Saved}
	for i, n := range c.Results {
		if n != 0 || all {
			j.Results[cache.Result(i).String()] = n
		}
	}
	return j
}

// Point is what happened in one step of a History.
type Point struct {
	At int64 `json:"at"` // seconds of Unix time
	Counts
}

// History is the newest Points, the oldest first.
type History struct {
	Step   int64   `json:"step_seconds"`
	Points []Point `json:"points"`
}

// ConfigState is ConfigStatus in the API.
type ConfigState struct {
	Generation uint64 `json:"generation"`
	File       string `json:"file"`
	LoadedAt   string `json:"loaded_at"`
	OK         bool   `json:"ok"`
	Error      string `json:"error"`
	Reloads    int64  `json:"reloads"`
	Failures   int64  `json:"failures"`
}

// StoreStats is what the store holds, in bytes of what it may.
type StoreStats struct {
	Objects    int    `json:"objects"`
	Bytes      int64  `json:"bytes"`
	Size       int64  `json:"size"`
	Window     int64  `json:"window"`
	Evictions  uint64 `json:"evictions"`
	Rejections uint64 `json:"rejections"`
}

// ServerStats is one server of an upstream.
type ServerStats struct {
	URL      string `json:"url"`
	Healthy  bool   `json:"healthy"`
	InFlight int    `json:"in_flight"`
}

// UpstreamStats is an upstream with its servers, in the order of the
// configuration.
type UpstreamStats struct {
	Name    string        `json:"name"`
	Servers []ServerStats `json:"servers"`
}

// Stats is the answer of GET /api/stats.
type Stats struct {
	Version   string          `json:"version"`
	StartedAt string          `json:"started_at"`
	Now       string          `json:"now"`
	State     string          `json:"state"`
	Config    ConfigState     `json:"config"`
	Totals    Counts          `json:"totals"`
	History   *History        `json:"history,omitempty"`
	Store     StoreStats      `json:"store"`
	Upstreams []UpstreamStats `json:"upstreams"`
}

// serveStats is GET /api/stats: the figures of the whole instance.
func (a *App) serveStats(w http.ResponseWriter, r *http.Request) {
	history := r.URL.Query().Get("history")
	switch history {
	case "", "fine", "day", "none":
	default:
		admin.WriteProblem(w, r, http.StatusBadRequest, "bad-question", "history is fine (the last ten minutes), day or none")
		return
	}
	c, total, s := a.ConfigStatus(), a.live.Total(), a.store.Stats()
	stats := Stats{
		Version: a.version, StartedAt: stamp(a.live.Started()), Now: stamp(time.Now()), State: a.state(),
		Config: ConfigState{c.Generation, c.File, stamp(c.LoadedAt), c.OK, c.Error, c.Reloads, c.Failures},
		Totals: countsOf(&total, true),
		Store:  StoreStats{s.Objects, s.Bytes, s.Size, s.Window, s.Evictions, s.Rejections},
	}
	if history != "none" {
		stats.History = historyOf(a.live.History(history == "day"))
	}
	p := a.current()
	stats.Upstreams = make([]UpstreamStats, 0, len(p.cfg.Upstreams))
	for i := range p.cfg.Upstreams {
		name := p.cfg.Upstreams[i].Name
		stats.Upstreams = append(stats.Upstreams, UpstreamStats{name, serversOf(p.pools[name])})
	}
	answer(w, &stats)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (a *App) state() string {
	switch a.phase.Load() {
	case starting:
		return "starting"
	case serving:
		return "serving"
	}
	return "draining"
}

func historyOf(step time.Duration, points []live.Point) *History {
	h := &History{int64(step / time.Second), make([]Point, len(points))}
	for i := range points {
		h.Points[i] = Point{points[i].At.Unix(), countsOf(&points[i].Counts, false)}
	}
	return h
}

// serversOf shows the servers of a pool, without what their URLs may have of a
// password.
func serversOf(p *pool) []ServerStats {
	states := p.Servers()
	servers := make([]ServerStats, len(states))
	for i, s := range states {
		shown := s.URL
		if u, err := url.Parse(s.URL); err == nil {
			shown = u.Redacted()
		}
		servers[i] = ServerStats{shown, s.Healthy, s.InFlight}
	}
	return servers
}

// OriginStats is one origin of a route; its name is empty for requests without
// an Origin field.
type OriginStats struct {
	Origin string `json:"origin"`
	Counts
}

// RouteStats is one route. More: it has had origins that are not listed.
type RouteStats struct {
	Name     string `json:"name"`
	Upstream string `json:"upstream"`
	CORS     string `json:"cors"`
	Counts
	Origins []OriginStats `json:"origins"`
	More    bool          `json:"more_origins"`
}

// Routes is the answer of GET /api/routes.
type Routes struct {
	Routes []RouteStats `json:"routes"`
}

// serveRoutes is GET /api/routes: every route in the order of the
// configuration, and behind them the requests that none takes.
func (a *App) serveRoutes(w http.ResponseWriter, _ *http.Request) {
	p := a.current()
	routes := make([]RouteStats, 0, len(p.cfg.Routes)+1)
	for i := range p.cfg.Routes {
		rt := &p.cfg.Routes[i]
		routes = append(routes, a.routeOf(rt.Name, rt.Name, rt.Upstream, corsText(rt)))
	}
	if none := a.routeOf("", unmatched, "", ""); none.Requests > 0 {
		routes = append(routes, none)
	}
	answer(w, Routes{routes})
}

func (a *App) routeOf(name, shown, upstream, cors string) RouteStats {
	sum, origins, more := a.live.Route(name)
	slices.SortFunc(origins, func(x, y live.Origin) int {
		return cmp.Or(cmp.Compare(y.Requests(), x.Requests()), strings.Compare(x.Origin, y.Origin))
	})
	j := RouteStats{shown, upstream, cors, countsOf(&sum, true), make([]OriginStats, len(origins)), more}
	for i := range origins {
		j.Origins[i] = OriginStats{origins[i].Origin, countsOf(&origins[i].Counts, false)}
	}
	return j
}

func corsText(rt *config.Route) string {
	if rt.CORS.Mode == corslayer.ModeOwn {
		return "own: " + rt.CORS.Policy
	}
	return rt.CORS.Mode.String()
}

type requestJSON struct {
	ID       uint64 `json:"id"`
	At       string `json:"at"`
	Method   string `json:"method"`
	URL      string `json:"url"`
	Origin   string `json:"origin"`
	Route    string `json:"route"`
	Status   int    `json:"status"`
	Upstream int    `json:"upstream_status,omitempty"`
	Result   string `json:"result"`
	Reason   string `json:"reason"`
	Why      string `json:"why"`
	Remedy   string `json:"remedy,omitempty"`
	Section  string `json:"section,omitempty"`
	Stored   bool   `json:"stored"`
	Took     int64  `json:"took_us"`
	Bytes    int64  `json:"bytes"`
	Trace    string `json:"trace_id,omitempty"`
}

// maxRequests is how many of the newest requests an answer has at the most.
const maxRequests = 640

// serveRequests is GET /api/requests: the newest ones that were kept.
func (a *App) serveRequests(w http.ResponseWriter, r *http.Request) {
	limit, ok := limitOf(r, 100, maxRequests)
	if !ok {
		admin.WriteProblem(w, r, http.StatusBadRequest, "bad-question", "limit is a number from 1 to "+strconv.Itoa(maxRequests))
		return
	}
	newest := a.live.Newest(maxRequests)
	total := a.live.Total()
	list := make([]requestJSON, 0, limit)
	for i := range newest[:min(limit, len(newest))] {
		list = append(list, keptRequest(&newest[i]))
	}
	answer(w, struct {
		Requests []requestJSON `json:"requests"`
		LeftOut  int64         `json:"left_out"`
	}{list, max(0, total.Requests()-int64(len(newest)))})
}

// limitOf reads the parameter limit.
func limitOf(r *http.Request, otherwise, most int) (int, bool) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return otherwise, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 1 && n <= most
}

func keptRequest(q *live.Request) requestJSON {
	j := requestJSON{
		ID: q.ID, At: stamp(q.At), Method: q.Method, URL: strings.ToValidUTF8(q.URL, "\uFFFD"), Origin: strings.ToValidUTF8(q.Origin, "\uFFFD"), Route: q.Route,
		Status: q.Status, Upstream: q.Upstream, Result: q.Result.String(), Stored: q.Stored, Took: q.Took.Microseconds(), Bytes: q.Bytes,
	}
	if q.Trace.IsValid() {
		j.Trace = q.Trace.String()
	}
	reason := q.Reason
	if reason == cachestatus.None {
		reason = q.NotStored
	}
	if reason != cachestatus.None {
		j.Reason, j.Remedy, j.Section = reason.String(), reason.Remedy(), reason.Section()
	}
	j.Why = why(q, reason)
	return j
}

// why says in a sentence how the cache came to its answer.
func why(q *live.Request, reason cachestatus.Reason) string {
	switch {
	case q.Left && q.Status == 0:
		return "the client left before there was an answer"
	case q.Cut:
		return "the answer ended early, because the upstream's did or could not be given"
	case reason != cachestatus.None:
		return reason.Sentence()
	}
	switch q.Result {
	case cache.ResultHit:
		return "the stored response is fresh"
	case cache.ResultMiss:
		if q.Stored {
			return "nothing was stored under this key; it is now"
		}
		return "nothing was stored under this key"
	case cache.ResultStale:
		return "the stored response is stale, and may stand in"
	case cache.ResultRevalidated:
		return "the stored response was stale; the upstream has said that it is still good"
	case cache.ResultCollapsed:
		return "another request was fetching the same, and this one has waited for it"
	case cache.ResultPreflight:
		return "a CORS preflight, answered from the policy"
	case cache.ResultError:
		return "an error of the proxy's own"
	}
	return "passed on to the upstream"
}
