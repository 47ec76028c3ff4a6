package upstream

import (
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whichever way a request goes, its caller learns which server was asked, once
// an attempt.
func TestGetConnOnEveryWay(t *testing.T) {
	for _, method := range []string{"GET", "OPTIONS"} { // directly, and by net/http
		up := serveRaw(t, answering(okResponse))
		down := serveRaw(t, answering(okResponse))
		at := strings.TrimPrefix(up.url, "http://")
		gone := strings.TrimPrefix(down.url, "http://")
		down.l.Close()
		p := newPool(t, nil, down.url, up.url)
		r := newRequest(t, method, "/", nil)
		var asked []string
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			GetConn: func(hostPort string) { asked = append(asked, hostPort) },
		}))
		if got := do(t, p, r); got.Status != 200 {
			t.Fatalf("%s: %+v", method, got)
		}
		if diff := cmp.Diff([]string{gone, at}, asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", method, diff)
		}
	}
}
