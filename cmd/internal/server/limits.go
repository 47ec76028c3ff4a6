package server

import (
	"fmt"
	"net/http"
	"time"
)

// Limits bound what one client, or all of them, can make the server hold. A
// zero field means its default; a negative one is an error.
type Limits struct {
	// HeaderBytes is the most that request line and fields may have (default
	// 32 KiB); net/http answers 431 to more. Over HTTP/1.1 up to 4 KiB on top
	// pass, because net/http reads ahead.
	HeaderBytes int

	// BodyBytes is the most that the content of a request may have (default
	// 64 MiB). See LimitBody.
	BodyBytes int64

	// HeaderTimeout is how long the head of a request, and before it the TLS
	// handshake, may take (default 10 s). Then the connection is closed.
	HeaderTimeout time.Duration

	// IdleTimeout is how long a connection may wait for its next request
	// (default 120 s).
	IdleTimeout time.Duration

	// BodyStall is how long a client may send no byte of a request body while
	// the handler waits for it (default 30 s). The body then ends with
	// os.ErrDeadlineExceeded.
	BodyStall time.Duration

	// WriteStall is how long a client may take no byte of a response (default
	// 30 s). Then the connection, or the HTTP/2 stream, is cut. A slow client
	// that makes progress is never cut.
	WriteStall time.Duration

	// Connections is the most that are open at once, over all addresses
	// (default 16384). At the limit, connections that wait for their next
	// request are closed, longest wait first; when there are none, new ones
	// wait in the system's queue.
	Connections int

	// Streams is the most requests under way on one HTTP/2 connection
	// (default 128).
	Streams int
}

// withDefaults returns l with its zero fields filled in.
func (l Limits) withDefaults() (Limits, error) {
	for _, d := range []struct {
		name  string
		field *time.Duration
		value time.Duration
	}{
		{"HeaderTimeout", &l.HeaderTimeout, 10 * time.Second},
		{"IdleTimeout", &l.IdleTimeout, 120 * time.Second},
		{"BodyStall", &l.BodyStall, 30 * time.Second},
		{"WriteStall", &l.WriteStall, 30 * time.Second},
	} {
		if err := fill(d.name, d.field, d.value); err != nil {
			return l, err
		}
	}
	for _, d := range []struct {
		name  string
		field *int
		value int
	}{
		{"HeaderBytes", &l.HeaderBytes, 32 << 10},
		{"Connections", &l.Connections, 16384},
		{"Streams", &l.Streams, 128},
	} {
		if err := fill(d.name, d.field, d.value); err != nil {
			return l, err
		}
	}
	return l, fill("BodyBytes", &l.BodyBytes, 64<<20)
}

// fill gives a zero field its default.
func fill[T int | int64 | time.Duration](name string, field *T, value T) error {
	if *field < 0 {
		return fmt.Errorf("cannot use the limit %s = %v: it is negative; leave it out for the default of %v", name, *field, value)
	}
	if *field == 0 {
		*field = value
	}
	return nil
}

// http2 returns the settings of HTTP/2 connections. The receive windows bound
// what a connection can make the server buffer while a handler reads slowly.
func (l Limits) http2() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          l.Streams,
		MaxDecoderHeaderTableSize:     4 << 10,
		MaxEncoderHeaderTableSize:     4 << 10,
		MaxReadFrameSize:              64 << 10,
		MaxReceiveBufferPerConnection: 1 << 20,
		MaxReceiveBufferPerStream:     512 << 10,
		SendPingTimeout:               30 * time.Second,
		PingTimeout:                   15 * time.Second,
		WriteByteTimeout:              l.WriteStall,
	}
}
