package config

import "time"

// RateLimit bounds what one client address may ask of a route: Requests in
// every Per, and up to Burst of them at once. What is more gets 429 (RFC 6585
// §4) with Retry-After. Answers from the cache count as well; CORS preflights
// do not, because a page never learns why its preflight failed.
type RateLimit struct {
	Requests int
	Per      time.Duration
	Burst    int // by default as many as Requests
}

// maxRequests bounds requests and burst.
const maxRequests = 1_000_000

func (r *reader) rateLimit(s *section) *RateLimit {
	var l *RateLimit
	s.sub("rate_limit", func(s *section) {
		l = &RateLimit{Per: time.Second}
		if !s.count("requests", &l.Requests, 1, maxRequests) && r.clean(s.path+".requests") {
			r.problem(s.path+".requests", "", "is missing", "how many requests a client may send, such as 100")
		}
		s.duration("per", &l.Per, time.Millisecond, 24*time.Hour)
		l.Burst = l.Requests
		s.count("burst", &l.Burst, 1, maxRequests)
	})
	return l
}

func (l *RateLimit) check(r *report, field string) {
	if l != nil && (l.Requests < 1 || l.Burst < 1 || l.Per <= 0) && r.clean(field) {
		r.problem(field, "", "has a number that is not positive", "requests, per and burst of 1 and more")
	}
}
