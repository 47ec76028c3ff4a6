package browser

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// In these scripts the application goes on only when the page has told it that
// the piece before has arrived, so nothing on the way can hold a piece back.
const (
	listenToEvents = `new Promise(resolve => {
	const source = new EventSource("{P}/PATH?do=events");
	const got = [];
	source.onmessage = e => {
		got.push(e.data);
		if (got.length < 3) return fetch("{P}/PATH?do=go", {method: "POST", mode: "no-cors"});
		source.close();
		resolve(got.join(" "));
	};
	source.onerror = () => { source.close(); resolve("error after " + got.length); };
})`
	readPieces = `(async () => {
	const got = [];
	try {
		const response = await fetch("{P}/PATH?do=pieces");
		const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
		for (;;) {
			const {value, done} = await reader.read();
			if (done) return got.join(" ");
			got.push(value);
			fetch("{P}/PATH?do=go", {method: "POST", mode: "no-cors"});
		}
	} catch (e) {
		return e.name + " after " + got.length;
	}
})()`
	leave = `(async () => {
	const reader = (await fetch("{P}/PATH?do=pieces")).body.getReader();
	const {value} = await reader.read();
	await reader.cancel();
	return new TextDecoder().decode(value);
})()`
	talk = `new Promise(resolve => {
	const socket = new WebSocket("{W}/PATH?do=socket");
	const got = [];
	socket.onopen = () => socket.send("hello");
	socket.onmessage = e => { got.push(e.data); socket.close(); };
	socket.onclose = () => resolve(got.join(" ") || "closed");
})`
)

// streams adds the resources of these scripts to an application. The channel
// gets the path of each stream that ended before its time.
func (a *application) streams() <-chan string {
	var arrived sync.Map // by path: a channel with a token for each piece that the page has
	tokens := func(r *http.Request) chan struct{} {
		c, _ := arrived.LoadOrStore(r.URL.Path, make(chan struct{}, 8))
		return c.(chan struct{})
	}
	left := make(chan string, 8)
	send := func(w http.ResponseWriter, r *http.Request, format string) {
		for i := 1; i <= 3; i++ {
			fmt.Fprintf(w, format, i)
			_ = http.NewResponseController(w).Flush() // the page tells when it does not come
			if i == 3 {
				return
			}
			select {
			case <-tokens(r):
			case <-r.Context().Done():
				left <- r.URL.Path
				return
			}
		}
	}
	a.special["events"] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		send(w, r, "data: %d\n\n")
	}
	a.special["pieces"] = func(w http.ResponseWriter, r *http.Request) { send(w, r, "piece%d") }
	a.special["go"] = func(_ http.ResponseWriter, r *http.Request) { tokens(r) <- struct{}{} }
	echo := websocket.Server{Handler: func(c *websocket.Conn) {
		var text string
		if err := websocket.Message.Receive(c, &text); err == nil {
			_ = websocket.Message.Send(c, text+" "+a.seen(c.Request()))
		}
	}}
	a.special["socket"] = echo.ServeHTTP
	a.special["bytes"] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "video/mp4")
		w.Header().Set("Cache-Control", "max-age=0, s-maxage=60")
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte("0123456789")))
	}
	return left
}

func TestBrowserStreams(t *testing.T) {
	s := set(t, readConfig)
	left := s.app.streams()
	ended := func(path string) step {
		return step{do: func(s *scene) {
			select {
			case got := <-left:
				if got != path {
					s.t.Errorf("the stream %s ended, want %s", got, path)
				}
			case <-time.After(patience):
				s.t.Errorf("the stream %s goes on without a reader", path)
			}
		}}
	}
	s.play(t, []trial{
		{
			name: "EventSource: each event as it comes",
			steps: []step{
				{at: "A", js: at("list/sse", listenToEvents), want: "1 2 3"},
				{at: "B", js: at("list/sse", listenToEvents), want: "1 2 3"},
				{at: "C", js: at("list/refused", listenToEvents), want: "error after 0"},
				ended("/list/refused"),
				{at: "P", js: at("list/sse", listenToEvents), want: "1 2 3"},
			},
		},
		{
			name: "ReadableStream: each piece as it comes",
			steps: []step{
				{at: "A", js: at("list/pieces", readPieces), want: "piece1 piece2 piece3"},
				{at: "C", js: at("list/refused", readPieces), want: "TypeError after 0"},
				ended("/list/refused"),
				{at: "A", js: at("list/left", leave), want: "piece1"},
				ended("/list/left"),
			},
		},
		{
			name: "WebSocket: no CORS there, so the application sees every Origin",
			steps: []step{
				{at: "A", js: at("list/ws", talk), want: "hello A"},
				{at: "C", js: at("list/ws", talk), want: "hello C"},
				{at: "P", js: at("list/ws", talk), want: "hello P"},
				{at: "C", js: at("any/ws", talk), want: "hello C"},
			},
			calls: []string{"GET /list/ws A", "GET /list/ws C", "GET /list/ws P", "GET /any/ws C"},
		},
	})
}

func TestBrowserRange(t *testing.T) {
	s := set(t, readConfig)
	s.app.streams()
	s.play(t, []trial{
		{
			name: "E6: a range needs no preflight, and a player reads what it must know",
			steps: []step{
				{at: "curl", get: "/media/1?do=bytes", want: `200 "0123456789" [uri-miss stored]`},
				{at: "A", get: "/media/1?do=bytes", init: part, want: `cors 206 "234" {accept-ranges content-range etag} [hit]`},
				{at: "B", get: "/media/1?do=bytes", init: part, want: `cors 206 "234" {accept-ranges content-range etag} [304 hit]`},
				{at: "C", get: "/media/1?do=bytes", init: part, want: `blocked MissingAllowOriginHeader`},
				{at: "B", get: "/media/1?do=bytes", init: `{headers: {Range: "bytes=6-8"}}`, want: `cors 206 "678" {accept-ranges content-range etag} [hit]`},
			},
			calls: []string{"GET /media/1 -"},
		},
		{
			name: "E6: past a cache that has it not",
			steps: []step{
				{at: "A", get: "/list/2?do=bytes", init: part, want: `cors 206 "234" [uri-miss request-range]`},
				{at: "C", get: "/list/2?do=bytes", init: part, want: `blocked MissingAllowOriginHeader`},
			},
		},
		{
			name: "E6: what is no simple range wants a preflight, which every policy answers",
			steps: []step{
				{at: "curl", get: "/media/3?do=bytes", want: `200 "0123456789" [uri-miss stored]`},
				{at: "A", get: "/media/3?do=bytes", init: `{headers: {Range: "bytes=-3"}}`, want: `preflight 204 > cors 206 "789" {accept-ranges content-range etag} [hit]`},
				{at: "A", get: "/media/3?do=bytes", init: `{method: "HEAD", headers: {Range: "bytes=2-4, 6-7"}}`, want: `cors 200 {accept-ranges etag} [hit]`},
			},
		},
		{
			name: "416",
			steps: []step{
				{at: "curl", get: "/media/4?do=bytes", want: `200 "0123456789" [uri-miss stored]`},
				{at: "A", get: "/media/4?do=bytes", init: `{headers: {Range: "bytes=20-30"}}`, want: `cors 416 {accept-ranges content-range} [hit]`},
			},
		},
	})
}
