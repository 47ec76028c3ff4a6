package server

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// At most burst messages a second pass, and the next one says what was lost.
func TestBoundedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out logBuffer
		b := newBounded(out.logger())
		for i := range 25 {
			b.log(context.Background(), slog.LevelInfo, "first", "n", i)
		}
		<-time.After(time.Second)
		b.log(context.Background(), slog.LevelInfo, "second")
		b.log(context.Background(), slog.LevelInfo, "third")
		var want strings.Builder
		for i := range burst {
			fmt.Fprintf(&want, "level=INFO msg=first n=%d\n", i)
		}
		want.WriteString("level=INFO msg=second left_out=15\nlevel=INFO msg=third\n")
		if got := out.String(); got != want.String() {
			t.Errorf("got\n%s\nwant\n%s", got, want.String())
		}
	})
}

func TestErrorLog(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"http: TLS handshake error from 192.0.2.1:5: EOF", `level=DEBUG msg=net/http message="http: TLS handshake error from 192.0.2.1:5: EOF"`},
		{"http: Accept error: accept: too many open files; retrying in 5ms", `level=WARN msg=net/http message="http: Accept error: accept: too many open files; retrying in 5ms"`},
		{"http: panic serving 192.0.2.1:5: x", `level=ERROR msg=net/http message="http: panic serving 192.0.2.1:5: x"`},
		{"http2: panic serving 192.0.2.1:5: x", `level=ERROR msg=net/http message="http2: panic serving 192.0.2.1:5: x"`},
		{strings.Repeat("x", 5000), `level=DEBUG msg=net/http message=` + strings.Repeat("x", maxLogLine)},
	} {
		var out logBuffer
		newBounded(out.logger()).stdLogger().Print(c.line)
		if got := strings.TrimSpace(out.String()); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
