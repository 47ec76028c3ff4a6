package faulty

import (
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"veneer/loadtest/internal/stamp"
)

// Server is the upstream. Its methods may be called at any time by anybody.
type Server struct {
	address string
	serial  atomic.Uint64

	mu     sync.Mutex // guards what follows
	http   *http.Server
	served chan struct{} // closed when http has ended
	book   map[string]*Tally
	total  int
}

// Tally is what the upstream did with one target.
type Tally struct {
	Fetches int
	Seen    map[string]int // GET requests, by the Origin that they had, "" for none
	Faults  int
}

// Start listens on the loopback. The caller ends it with Stop.
func Start() (*Server, error) {
	s := &Server{book: map[string]*Tally{}}
	// A port below those that the system gives to connections: while the
	// upstream is gone nobody else gets it by accident.
	for range 100 {
		s.address = fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000))
		if err := s.Back(); err == nil {
			return s, nil
		}
	}
	return nil, errors.New("cannot start the upstream: no free port between 20000 and 30000 in a hundred tries")
}

// Address is host:port, the same for its whole life.
func (s *Server) Address() string { return s.address }

// Gone closes the listener and all connections: connections are refused until
// Back. It returns when nothing is served any more.
func (s *Server) Gone() {
	s.mu.Lock()
	server, served := s.http, s.served
	s.http = nil
	s.mu.Unlock()
	if server != nil {
		_ = server.Close() // of the listener: it is gone either way
		<-served
	}
}

// Back listens again.
func (s *Server) Back() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		return nil
	}
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		return fmt.Errorf("cannot bring the upstream back: %w", err)
	}
	server, served := &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0)}, make(chan struct{})
	s.http, s.served = server, served
	go func() {
		defer close(served)
		_ = server.Serve(l) // it ends with Gone
	}()
	return nil
}

// Stop ends it for good.
func (s *Server) Stop() { s.Gone() }

// Tally returns what was done for a target so far.
func (s *Server) Tally(target string) Tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.book[target]
	if t == nil {
		return Tally{}
	}
	return Tally{Fetches: t.Fetches, Faults: t.Faults, Seen: maps.Clone(t.Seen)}
}

// Fetches returns how many requests it has had.
func (s *Server) Fetches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// enter notes the request, and says whether it is to fail.
func (s *Server) enter(d Doc, r *http.Request, origin string) (fail bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total++
	if d.Once {
		return d.Fault != NoFault
	}
	t := s.book[r.RequestURI]
	if t == nil {
		t = &Tally{Seen: map[string]int{}}
		s.book[r.RequestURI] = t
	}
	t.Fetches++
	if r.Method == http.MethodGet {
		t.Seen[origin]++
	}
	fail = d.Fault != NoFault && (d.First == 0 || t.Faults < d.First)
	if fail {
		t.Faults++
	}
	return fail
}

// ServeHTTP answers as the URL says.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d, err := parse(r.URL)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	origin := strings.Join(r.Header.Values("Origin"), "|")
	fail := s.enter(d, r, origin)
	if !rest(r, d.Wait) {
		return
	}
	if fail && broken(w, r, d.Fault) {
		return
	}
	st := s.stamp(d, r, origin)
	h := w.Header()
	d.App.answer(h, r.Header.Get("Origin"))
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Etag", st.Tag)
	if cc := d.cacheControl(); cc != "" {
		h.Set("Cache-Control", cc)
	}
	if d.Tag != "" {
		h.Set("Surrogate-Key", d.Tag)
	}
	if !fail && r.Header.Get("If-None-Match") == st.Tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Load-Serial", fmt.Sprint(st.Serial))
	content := st.Content(d.Size)
	if fail {
		s.fail(w, d.Fault, content)
		return
	}
	if d.App != Trailer {
		h.Set("Content-Length", fmt.Sprint(len(content)))
	}
	if r.Method == http.MethodHead {
		return
	}
	deliver(w, r, content, d.Drip)
	if d.App == Trailer {
		h.Set("Access-Control-Allow-Origin", cmp.Or(r.Header.Get("Origin"), "*"))
	}
}

// stamp is what the answer to r says of itself.
func (s *Server) stamp(d Doc, r *http.Request, origin string) stamp.Stamp {
	revision, until := int64(0), time.UnixMicro(1<<52)
	if d.Change > 0 {
		revision = time.Now().UnixMicro() / d.Change.Microseconds()
		until = time.UnixMicro((revision + 1) * d.Change.Microseconds())
	}
	tag := fmt.Sprintf(`"%08x-%d"`, crc32.ChecksumIEEE([]byte(r.RequestURI+"\n"+origin)), revision)
	return stamp.Stamp{URL: r.RequestURI, Serial: s.serial.Add(1), Origin: origin, Tag: tag, Until: until}
}

// stallPatience ends a stall for which nobody gives up.
const stallPatience = 30 * time.Second

// broken does what is wrong before a head, and reports whether it did.
func broken(w http.ResponseWriter, r *http.Request, f Fault) bool {
	var say string
	switch f {
	case Stall:
		rest(r, stallPatience)
		panic(http.ErrAbortHandler)
	case Garbage:
		say = "HTTP/1.1 banana\r\nno: head\r\n\r\n"
	case Reset, Close:
	default:
		return false
	}
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // ends the connection as well
	}
	defer c.Close()
	_, _ = io.WriteString(c, say)
	if t, ok := c.(*net.TCPConn); ok && f == Reset {
		_ = t.SetLinger(0)
	}
	return true
}

// fail does what is wrong with or after a head.
func (s *Server) fail(w http.ResponseWriter, f Fault, content []byte) {
	switch f {
	case Error500, Error503:
		status := http.StatusInternalServerError
		if f == Error503 {
			status = http.StatusServiceUnavailable
		}
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write(content)
		return
	case Truncate:
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	}
	_, _ = w.Write(content[:len(content)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// deliver writes the content within the time given.
func deliver(w http.ResponseWriter, r *http.Request, content []byte, within time.Duration) {
	const pieces = 8
	for i := range pieces {
		from, to := len(content)*i/pieces, len(content)*(i+1)/pieces
		if within == 0 {
			from, to = 0, len(content)
		}
		if _, err := w.Write(content[from:to]); err != nil || within == 0 {
			return
		}
		_ = http.NewResponseController(w).Flush() // a client that is gone shows in the next write
		// Not after the last one: the connection is free for the next request
		// then, which would have to wait.
		if i < pieces-1 && !rest(r, within/(pieces-1)) {
			return
		}
	}
}

// rest waits, and reports whether the client is still there.
func rest(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
