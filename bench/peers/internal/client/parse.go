package client

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	wrkRequests = regexp.MustCompile(`(?m)^\s*(\d+) requests in (\S+),`)
	wrkSockets  = regexp.MustCompile(`(?m)^\s*(Socket errors: .*)$`)
	wrkStatus   = regexp.MustCompile(`(?m)^\s*(Non-2xx or 3xx responses: .*)$`)

	h2Requests = regexp.MustCompile(`(?m)^requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`)
	h2Statuses = regexp.MustCompile(`(?m)^status codes: (\d+) 2xx, `)
)

// parseWrk reads wrk's report. The lines about errors are only there when there
// were some.
func parseWrk(out string) (Result, error) {
	m := wrkRequests.FindStringSubmatch(out)
	if m == nil {
		return Result{}, fmt.Errorf("cannot read the report of wrk: no line says how many requests it made: %q", out)
	}
	var r Result
	var err error
	if r.Requests, err = strconv.ParseInt(m[1], 10, 64); err != nil {
		return Result{}, fmt.Errorf("cannot read the report of wrk: %w", err)
	}
	// wrk writes units as time.ParseDuration reads them: 300.05ms, 3.00s, 1.00m.
	if r.Took, err = time.ParseDuration(m[2]); err != nil {
		return Result{}, fmt.Errorf("cannot read the report of wrk: %w", err)
	}
	var problems []string
	for _, re := range []*regexp.Regexp{wrkSockets, wrkStatus} {
		if m := re.FindStringSubmatch(out); m != nil {
			problems = append(problems, strings.TrimSpace(m[1]))
		}
	}
	if r.Requests == 0 && problems == nil {
		problems = append(problems, "no request was answered")
	}
	r.Problem = strings.Join(problems, "; ")
	return r, nil
}

// parseH2load reads h2load's report. Requests that were under way at the end are
// neither done nor failed. Its time is with that for connecting, its requests
// are not, so the Result has no time.
func parseH2load(out string) (Result, error) {
	requests, statuses := h2Requests.FindStringSubmatch(out), h2Statuses.FindStringSubmatch(out)
	if requests == nil || statuses == nil {
		return Result{}, fmt.Errorf("cannot read the report of h2load: a line is missing: %q", out)
	}
	var n [7]int64
	for i, s := range append(requests[1:], statuses[1]) {
		var err error
		if n[i], err = strconv.ParseInt(s, 10, 64); err != nil {
			return Result{}, fmt.Errorf("cannot read the report of h2load: %w", err)
		}
	}
	var r Result
	done, good, failed, errored, late, ok := n[1], n[2], n[3], n[4], n[5], n[6]
	r.Requests = done
	switch {
	case failed+errored+late > 0 || good != done:
		r.Problem = fmt.Sprintf("%d failed, %d errored, %d timeout of %d", failed, errored, late, done)
	case ok < done:
		r.Problem = fmt.Sprintf("%d of %d answers have no 2xx status", done-ok, done)
	case done == 0:
		r.Problem = "no request was answered"
	}
	return r, nil
}
