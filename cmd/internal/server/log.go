package server

import (
	"context"
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// levelFull is the level of the message that the connection limit is reached.
const levelFull = slog.LevelWarn

// burst is how many messages a second bounded lets through.
const burst = 10

// bounded logs messages that a client can cause at will: at most burst a
// second, so that nobody can fill the disk. The next message says how many
// were left out.
type bounded struct {
	logger *slog.Logger

	mu     sync.Mutex // guards what follows
	second time.Time  // when the current second began
	passed int
	missed int
}

func newBounded(l *slog.Logger) *bounded { return &bounded{logger: l} }

// log logs one message, or counts it as left out.
func (b *bounded) log(ctx context.Context, level slog.Level, msg string, args ...any) {
	if !b.logger.Enabled(ctx, level) {
		return
	}
	missed, ok := b.take()
	if !ok {
		return
	}
	if missed > 0 {
		args = append(args, "left_out", missed)
	}
	b.logger.Log(ctx, level, msg, args...)
}

// take reports whether a message may pass, and how many did not before it.
func (b *bounded) take() (missed int, ok bool) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.second) >= time.Second {
		b.second, b.passed = now, 0
	}
	if b.passed == burst {
		b.missed++
		return 0, false
	}
	b.passed++
	missed, b.missed = b.missed, 0
	return missed, true
}

// stdLogger is the bridge for http.Server.ErrorLog.
func (b *bounded) stdLogger() *log.Logger { return log.New(errorLog{b}, "", 0) }

type errorLog struct{ b *bounded }

// maxLogLine bounds what one message of net/http may have, in bytes: parts of
// it come from the client.
const maxLogLine = 512

func (e errorLog) Write(p []byte) (int, error) {
	line := strings.TrimSpace(string(p[:min(len(p), maxLogLine)]))
	e.b.log(context.Background(), errorLevel(line), "net/http", "message", line)
	return len(p), nil
}

// errorLevel sorts the messages of net/http. Nearly all (failed handshakes,
// malformed requests) are the clients' doing: debug. Two are for the operator:
// a failing Accept, mostly for want of file descriptors, and a panic that
// escaped exchange.
func errorLevel(line string) slog.Level {
	switch {
	case strings.HasPrefix(line, "http: Accept error"):
		return slog.LevelWarn
	case strings.Contains(line, ": panic serving "):
		return slog.LevelError
	}
	return slog.LevelDebug
}
