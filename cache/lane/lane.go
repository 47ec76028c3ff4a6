package lane

import (
	"bytes"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"veneer/cache"
)

// Config is what a Lane is made of.
type Config struct {
	Engine *cache.Engine

	// HeaderBytes is the largest head that the lane looks at, in bytes.
	HeaderBytes int
	// HeaderTimeout is how long a head may take from its first byte to its
	// last, IdleTimeout how long a client may wait before it sends one. Both as
	// net/http has them.
	HeaderTimeout, IdleTimeout time.Duration
	// Secure: the connections are TLS.
	Secure bool
	// Sample reports whether a request gets a trace of its own. It is asked once
	// for each request that the lane reads; nil traces none. What it said of one
	// that is left to net/http is kept for the handler: see Conn.Sampled.
	Sample func(*cache.Request) bool
}

// Lane makes Conns. It is safe for concurrent use.
type Lane struct {
	cfg     Config
	benches sync.Pool // *bench
}

// New returns a Lane.
func New(cfg Config) *Lane {
	l := &Lane{cfg: cfg}
	l.benches.New = func() any { return new(bench) }
	return l
}

// Transport is the connection below a Conn. The lane reads the clock once for a
// request and says the time to what needs it.
type Transport interface {
	net.Conn
	// Receive is Read.
	Receive(p []byte) (int, error)
	// Send writes all of head and body, which it does not keep, for as long as
	// the client takes some of it now and then. now is the time. It returns how
	// many bytes of both were written.
	Send(now time.Time, head, body []byte) (int, error)
	// Passed notes that bytes have passed at that time by another way than Send.
	Passed(now time.Time)
}

// bench is what the lane works with while it answers, and no longer: nothing of
// it is kept by a connection that waits.
type bench struct {
	head    head
	request cache.Request
	hit     cache.Hit
	out     []byte
}

// Sizes, in bytes.
const (
	// maxOut bounds the answers that are collected for one write.
	maxOut = 16 << 10
	// maxCopy is the largest content that is copied behind its head, instead of
	// being written from where it is stored.
	maxCopy = 4 << 10
)

func (l *Lane) bench() *bench { return l.benches.Get().(*bench) }

// release gives b back, without a byte of anybody's request.
func (l *Lane) release(b *bench) {
	b.hit.Reset()
	b.request = cache.Request{}
	clear(b.head.names[:b.head.n])
	clear(b.head.values[:b.head.n])
	b.head.host, b.head.path, b.head.query = "", "", ""
	if b.out = b.out[:0]; cap(b.out) > 2*maxOut {
		b.out = nil
	}
	l.benches.Put(b)
}

// http1 writes heads as net/http does.
var http1 = &cache.Encoding{Encode: func(status int, h http.Header) []byte {
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 ")
	b.WriteString(strconv.Itoa(status))
	b.WriteByte(' ')
	if text := http.StatusText(status); text != "" {
		b.WriteString(text)
	} else {
		b.WriteString("status code " + strconv.Itoa(status))
	}
	b.WriteString("\r\n")
	_ = h.Write(&b) // a Buffer takes everything
	return bytes.Clone(b.Bytes())
}}

// appendHead writes the head of an answer.
func appendHead(dst []byte, h *cache.Hit) []byte {
	dst = append(dst, h.Fixed()...)
	dst = append(dst, "Age: "...)
	dst = strconv.AppendInt(dst, h.Age(), 10)
	dst = append(dst, "\r\nCache-Status: "...)
	dst = h.AppendCacheStatus(dst)
	dst = append(dst, "\r\n"...)
	names, origin := h.OriginFields()
	for _, name := range names {
		dst = append(dst, name...)
		dst = append(dst, ": "...)
		dst = append(dst, origin...)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...)
}
