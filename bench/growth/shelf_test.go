package growth

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"veneer/bench/internal/fixture"
	"veneer/bench/internal/measure"
	"veneer/cache"
	"veneer/cache/key"
	"veneer/cache/rfc9111"
	"veneer/cache/store/memory"
)

var (
	byObjects = Panel{Title: "Time by objects, at random", Over: "objects stored", Unit: "ns"}
	perObject = Panel{Title: "Memory beyond its bytes", Over: "objects stored", Unit: "B an object"}
	living    = Panel{Title: "Allocations alive", Over: "objects stored", Unit: "an object"}
	perCycle  = Panel{Title: "Collector's CPU a cycle", Over: "objects stored", Unit: "ms"}
)

// objects are the sizes of stores; the largest is for the full form alone.
var objects = []int{1000, 10_000, 100_000, 1_000_000, 10_000_000}

// handled is the largest store that hits are measured over: what is prepared for
// an Object's first one makes as much again of a store.
const handled = 1_000_000

// shelf is a store of small Objects, with what they take.
type shelf struct {
	n      int
	store  *memory.Store
	keys   *keyring
	own    float64 // bytes of key, fields and content of an Object
	beyond float64 // bytes of memory beyond them
	cost   float64 // what Object.Cost says that is
	alive  float64 // allocations
}

// object makes the i-th Object of a shelf, as the engine would after a fetch.
func object(k key.Key, now time.Time) *cache.Object {
	return cache.NewObject(cache.ObjectSpec{
		Key: k, Status: http.StatusOK,
		Meta: rfc9111.Meta{
			RequestTime: now, ResponseTime: now, Date: now, Lifetime: time.Hour, ETag: `"a"`, Flags: rfc9111.Explicit,
		},
		Header: http.Header{"Cache-Control": {"max-age=3600"}, "Content-Type": {"text/plain"}, "Etag": {`"a"`}},
		Body:   [][]byte{content},
	})
}

var content = []byte(strings.Repeat("x", 64))

func ownBytes(o *cache.Object) int { return len(o.Key()) + len(o.Block()) + len(o.Body()) }

// newShelf fills a store with n Objects. It has a twentieth more room than they
// need, so that most are in the policy and the last ones in the window, as in a
// store that has just filled up.
func newShelf(tb testing.TB, n int) *shelf {
	tb.Helper()
	now, s := time.Now(), &shelf{n: n, keys: newKeyring(tb)}
	sample := object(s.keys.key(0), now)
	s.own, s.cost = float64(ownBytes(sample)), float64(sample.Cost()-int64(ownBytes(sample)))
	s.store = fixture.NewStore(tb, max(sample.Cost()*int64(n)/20*21, 1<<20))
	before, allocated := heap()
	for i := range n {
		o := object(s.keys.key(i), now)
		if err := s.store.Put(context.Background(), o, cache.PutOptions{Epoch: s.store.Epoch(s.keys.key(i).URI())}); err != nil {
			tb.Fatal(err)
		}
	}
	if got := s.store.Stats().Objects; got != n {
		tb.Fatalf("%d of %d objects are stored", got, n)
	}
	after, alive := heap()
	s.beyond, s.alive = (after-before)/float64(n)-s.own, (alive-allocated)/float64(n)
	return s
}

// heap is what is reachable, in bytes and in allocations. The second cycle frees what the first
// one found to have a finalizer, or to be in a sync.Pool.
func heap() (bytes, allocations float64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc), float64(m.HeapObjects)
}

// lookup looks a random Object up, as the engine does.
func (s *shelf) lookup(tb testing.TB) func() {
	var sel cache.Selector = &freshest{now: time.Now()}
	return func() {
		if o, err := s.store.Get(context.Background(), s.keys.key(rand.IntN(s.n)), sel); o == nil || err != nil {
			tb.Fatal("not stored", err)
		}
	}
}

// freshest selects the first variant that is fresh and matches, which reads of
// an Object what the engine reads.
type freshest struct{ now time.Time }

func (f *freshest) Select(all []*cache.Object) int {
	for i, o := range all {
		if o.Selecting.Matches(noFields) && o.Meta.Fresh(f.now) {
			return i
		}
	}
	return -1
}

var noFields = http.Header{}

// answers returns what answers a request for the i-th Object: the handler into
// a sink, and the lane from bytes to bytes.
func (s *shelf) answers(tb testing.TB) (handler, lane func(i int)) {
	e, w, r := fixture.NewEngine(tb, s.store, fixture.Page("")), fixture.NewSink(), fixture.NewRequest()
	r.URL.RawQuery = ""
	delete(r.Header, "Origin")
	l := fixture.NewLane(e)
	head := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: gzip, deflate, br\r\n\r\n", objectPath(0), fixture.Host)
	at := len("GET ") + len(objectPath(0)) - digits
	handler = func(i int) {
		r.URL.Path = s.keys.path(i)
		w.Serve(e, r)
		if !w.Hit() {
			tb.Fatalf("%s: %q is no hit", r.URL.Path, w.Header())
		}
	}
	lane = func(i int) {
		number(head[at:at+digits], i)
		l.Serve(tb, head)
	}
	return handler, lane
}

// random answers requests for random Objects.
func (s *shelf) random(answer func(i int)) func() {
	return func() { answer(rand.IntN(s.n)) }
}

// use answers a request for every Object once: an Object grows by what is
// prepared for its hits.
func (s *shelf) use(answer func(i int)) {
	before, allocated := heap()
	for i := range s.n {
		answer(i)
	}
	after, alive := heap()
	s.beyond += (after - before) / float64(s.n)
	s.alive += (alive - allocated) / float64(s.n)
}

// collect returns the processor time of one cycle of the collector, in
// milliseconds: the least of some. The process's own time is read, as the
// runtime's figures count time in which the machine did something else.
func collect(tb testing.TB) float64 {
	least := time.Duration(1<<63 - 1)
	for range 3 {
		before, ok := measure.Processor()
		if !ok {
			tb.Skip("this system does not say what a process uses")
		}
		runtime.GC()
		after, _ := measure.Processor()
		least = min(least, after-before)
	}
	return float64(least) / float64(time.Millisecond)
}

// keyring makes the keys of all Objects of a shelf in one buffer: a slice of
// ten million keys would be measured with what it is used for.
type keyring struct {
	made key.Key
	at   int // where the number stands
}

const digits = 8

func newKeyring(tb testing.TB) *keyring {
	tb.Helper()
	form := objectPath(0)
	q, spec := key.Query{}, key.Spec{}
	target, err := q.Canonical("http", fixture.Host, form, "")
	if err != nil {
		tb.Fatal(err)
	}
	k := spec.Append(nil, http.MethodGet, target, "", nil)
	return &keyring{k, bytes.Index(k.Bytes, []byte(form)) + len(form) - digits}
}

func objectPath(i int) string { return fmt.Sprintf("/objects/%0*d", digits, i) }

// key returns the key of the i-th Object, until the next call.
func (r *keyring) key(i int) key.Key {
	number(r.made.Bytes[r.at:r.at+digits], i)
	return r.made
}

// number writes i into b, as objectPath does.
func number(b []byte, i int) {
	for d := len(b) - 1; d >= 0; d-- {
		b[d] = byte('0' + i%10)
		i /= 10
	}
}

// path returns the path of the i-th Object.
func (r *keyring) path(i int) string {
	r.key(i)
	return string(r.made.Bytes[r.at+digits-len(objectPath(0)) : r.at+digits])
}
