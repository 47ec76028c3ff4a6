package cache_test

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"veneer/cache"
)

// lateHook is an upstream that does not answer, and whose transport is still at
// work on interim responses when the client has its answer: net/http's does so
// on a goroutine of its own, whose panic would end the process.
type lateHook struct {
	hook func(int, textproto.MIMEHeader) error
}

func (u *lateHook) RoundTrip(r *http.Request) (*http.Response, error) {
	u.hook = httptrace.ContextClientTrace(r.Context()).Got1xxResponse
	return nil, io.ErrUnexpectedEOF
}

func TestInterimAfterTheAnswer(t *testing.T) {
	for _, fields := range [][]string{nil, {"Expect: 100-continue"}} {
		u := &lateHook{}
		run(t, nil, func(x *tier) {
			if a := x.do("POST", "/a", strings.NewReader("x"), fields...); a.err != nil || a.StatusCode != http.StatusBadGateway {
				t.Fatalf("got %+v", a)
			}
			x.engine.Quiet()
			if err := u.hook(http.StatusEarlyHints, textproto.MIMEHeader{"Link": {"</a>"}}); err != nil {
				t.Error(err)
			}
		}, func(r *cache.Route) { r.Upstream = u })
	}
}
