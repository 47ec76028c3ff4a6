package app

import (
	"time"

	"veneer/cache"
	"veneer/cmd/internal/config"
	"veneer/cmd/internal/ratelimit"
	"veneer/upstream/forward"
)

// limit is a route's rate limit in use. A reload that leaves it as it is keeps
// what was counted.
type limit struct {
	table *ratelimit.Table
	from  config.RateLimit
}

func (a *App) limitOf(rt *config.Route) *limit {
	if a.plan != nil {
		if old := a.plan.limits[rt.Name]; old != nil && old.from == *rt.Rate {
			return old
		}
	}
	rate := ratelimit.Rate{Requests: rt.Rate.Requests, Per: rt.Rate.Per, Burst: rt.Rate.Burst}
	return &limit{table: ratelimit.New(rate, ratelimit.DefaultClients, nil), from: *rt.Rate}
}

// of returns what the engine asks: the client is who stands at the far end of
// the trusted peers.
func (l *limit) of(trust forward.Trust) func(*cache.Request) (time.Duration, bool) {
	return func(q *cache.Request) (time.Duration, bool) {
		_, client := effective(q, trust)
		return l.table.Take(client)
	}
}
