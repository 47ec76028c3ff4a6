package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a server asks for with Retry-After (RFC 9110 §10.2.3) is waited for when
// it is short, a few times a request, and for so long in a whole run.
const (
	maxPause   = 5 * time.Second
	maxRetries = 2
	maxPauses  = time.Minute
)

// pause waits before x is sent again, and reports whether it shall be.
func (r *run) pause(ctx context.Context, x *Exchange) bool {
	d, ok := retryAfter(x.value(fieldRetryAfter), time.Now())
	if x.Status != http.StatusTooManyRequests || !ok || d > maxPause || x.Retries == maxRetries || r.paused+d > maxPauses {
		return false
	}
	r.paused += d
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryAfter reads seconds or a date.
func retryAfter(text string, now time.Time) (d time.Duration, ok bool) {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second, true
	}
	at, err := http.ParseTime(text)
	return max(0, at.Sub(now)), err == nil
}

// limited says that the server limits the rate, and for how long.
func limited(x *Exchange) string {
	title := "The server answers 429: it limits the rate"
	if after := x.value(fieldRetryAfter); after != "" {
		title += " (Retry-After: " + after + ")"
	}
	return title + ", and what was asked then is not known."
}

// broken: no answer, or the word of a server that has failed. 501 is an answer.
func (x *Exchange) broken() bool {
	return x != nil && (x.Status == 0 || x.Status >= 500 && x.Status != http.StatusNotImplemented)
}

// mustWork are the probes of what the server is meant to do. Strangers,
// unknown paths and preflights may well be answered with 5xx by a server that
// works: that is a finding or a refusal.
var mustWork = []string{
	probePlain, probeFirstA, probeAgainA, probeThenB, probeValidate, probeColdB, probeNone, probeNoneThenA, probeStrangerThenA,
}

// troubled: x tells nothing of what the server does when it is well.
func (r *run) troubled(x *Exchange) bool {
	switch {
	case x == nil:
		return false
	case x.Status == http.StatusTooManyRequests:
		return true
	case !x.broken():
		return false
	}
	first := r.find(probeFirstA)
	return slices.Contains(mustWork, x.Name) || first.broken() || first.limited()
}

func (x *Exchange) limited() bool { return x != nil && x.Status == http.StatusTooManyRequests }

// sound returns the exchange of a probe as mere company to the one that shows
// a fault, or nil when it is troubled.
func (r *run) sound(name string) *Exchange {
	if x := r.find(name); !r.troubled(x) {
		return x
	}
	return nil
}

// decided returns v when it does not rest on troubled answers, and says on
// which it does otherwise. r.doubt is the first of them that the check saw.
func (r *run) decided(c check, v verdict) verdict {
	if v.severity == "" && r.doubt != nil {
		return undecided(r.doubt)
	}
	for _, x := range []*Exchange{v.left, v.right} {
		if v.severity != "" && !c.alone && r.troubled(x) {
			return undecided(x)
		}
	}
	return v
}

func undecided(x *Exchange) verdict {
	if x.Status == 0 {
		return verdict{undecided: fmt.Sprintf("not known: no answer (%s)", x.About)}
	}
	return verdict{undecided: fmt.Sprintf("not known: %d (%s)", x.Status, x.About)}
}

// forwardedBy returns the name of the cache that is nearest to the client when
// it says that it passed the request on and did not use what it had: what is
// wrong with x came from behind it. The last member is the nearest
// (RFC 9211 §2).
func (x *Exchange) forwardedBy() string {
	members := x.list(fieldCacheStatus)
	if len(members) == 0 {
		return ""
	}
	name, parameters, _ := strings.Cut(members[len(members)-1], ";")
	given := make(map[string]string)
	for parameter := range strings.SplitSeq(parameters, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		given[key] = value
	}
	_, hit := given["hit"]
	_, collapsed := given["collapsed"]
	reused := given["fwd"] == "stale" && given["fwd-status"] == "304"
	if given["fwd"] == "" || hit || collapsed || reused {
		return ""
	}
	return strings.Trim(strings.TrimSpace(name), `"`)
}
