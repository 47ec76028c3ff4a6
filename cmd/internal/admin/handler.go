package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// maxStack bounds the stack in the log, in bytes.
const maxStack = 8 << 10

// serveHTTP is the one way of a request to a handler.
func (s *Server) serveHTTP(inner http.ResponseWriter, r *http.Request) {
	w := &response{ResponseWriter: inner}
	defer s.answerPanic(w, r)
	secure(w.Header())
	if refused := s.guard.refuse(r); refused != nil {
		if refused.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="veneer"`) // RFC 9110 §15.5.2
		}
		refused.write(w, r)
		return
	}
	r.Body = http.MaxBytesReader(inner, r.Body, bodyBytes)
	if h, pattern := s.mux.Handler(r); pattern == "" {
		s.notServed(h, w, r)
		return
	}
	s.mux.ServeHTTP(w, r) // once more, for the path values
}

// response notes whether something was sent.
type response struct {
	http.ResponseWriter
	begun bool
}

func (w *response) WriteHeader(status int) {
	w.begun = w.begun || status >= 200
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(p)
}

// FlushError is what http.ResponseController.Flush calls.
func (w *response) FlushError() error {
	w.begun = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap gives http.ResponseController the rest.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// secure sets the fields that keep a browser from doing more with a response
// than showing it.
func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}

// notServed answers where no pattern matches: GET / with the page or the list of
// the endpoints, anything else with a problem. http.ServeMux knows whether the
// path or the method is at fault (RFC 9110 §15.5.5, §15.5.6), but says it in
// plain text.
func (s *Server) notServed(h http.Handler, w http.ResponseWriter, r *http.Request) {
	asked := &verdict{header: make(http.Header)}
	h.ServeHTTP(asked, r)
	allow := asked.header.Get("Allow")
	if r.URL.Path == "/" {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			s.root(w, r)
			return
		}
		allow = "GET, HEAD"
	}
	p := &problem{"not-found", http.StatusNotFound, "nothing is served at this path; GET / names what is"}
	if allow != "" {
		w.Header().Set("Allow", allow)
		p = &problem{"method-not-allowed", http.StatusMethodNotAllowed, "this path takes " + allow}
	}
	p.write(w, r)
}

// verdict keeps the fields of a response and drops the rest.
type verdict struct{ header http.Header }

func (v *verdict) Header() http.Header         { return v.header }
func (v *verdict) WriteHeader(int)             {}
func (v *verdict) Write(p []byte) (int, error) { return len(p), nil }

// answerPanic answers 500 when a handler has panicked, and cuts the connection
// when the response has begun, so that the client sees that it is incomplete.
func (s *Server) answerPanic(w *response, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	stack := debug.Stack()
	s.log.ErrorContext(r.Context(), "panic in an admin handler", "panic", cause, "stack", string(stack[:min(len(stack), maxStack)]))
	if w.begun {
		panic(http.ErrAbortHandler)
	}
	clear(w.Header()) // they may describe another response
	secure(w.Header())
	w.Header().Set("Connection", "close")
	WriteProblem(w, r, http.StatusInternalServerError, "internal", "the request could not be handled")
}

// readiness answers with what ready says.
func readiness(ready func() Readiness) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		state := ready()
		text, err := json.Marshal(state)
		if err != nil {
			panic(fmt.Errorf("BUG: readiness is no JSON: %w", err))
		}
		w.Header().Set("Content-Type", "application/json")
		if !state.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write(append(text, '\n')) // the client may be gone
	})
}

// root is GET / until somebody registers "GET /{$}": the page for browsers, the
// list for everything else.
func (s *Server) root(w http.ResponseWriter, r *http.Request) {
	if s.page == nil {
		s.index(w)
		return
	}
	w.Header().Set("Vary", "Accept")
	if wantsPage(r) {
		s.page.ServeHTTP(w, r)
		return
	}
	s.index(w)
}

// index names what is served.
func (s *Server) index(w http.ResponseWriter) {
	s.mu.Lock()
	listed := slices.Clone(s.listed)
	s.mu.Unlock()
	slices.SortFunc(listed, func(a, b string) int { return strings.Compare(pathOf(a), pathOf(b)) })
	text := "Veneer admin\n\n" + strings.Join(listed, "\n") + "\n"
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, text) // the client may be gone
}

// pathOf returns a pattern without its method.
func pathOf(pattern string) string { return pattern[strings.IndexByte(pattern, ' ')+1:] }

// problem is an error answer, RFC 9457. Its token is the stable part of the
// type.
type problem struct {
	token  string
	status int
	detail string
}

func (p *problem) write(w http.ResponseWriter, r *http.Request) {
	WriteProblem(w, r, p.status, p.token, p.detail)
}

// WriteProblem answers with a problem document (RFC 9457) whose type is
// urn:veneer:problem:TOKEN: what registered handlers use for their errors. It
// must be the first that is written. The title is the status code's phrase.
func WriteProblem(w http.ResponseWriter, r *http.Request, status int, token, detail string) {
	WriteProblems(w, r, status, token, detail, nil)
}

// WriteProblems is WriteProblem for what consists of several: they are the
// member "problems" of the document, unless nil. They must be fit for JSON.
func WriteProblems(w http.ResponseWriter, r *http.Request, status int, token, detail string, problems any) {
	text, err := json.Marshal(struct {
		Type     string `json:"type"`
		Title    string `json:"title"`
		Status   int    `json:"status"`
		Detail   string `json:"detail"`
		Problems any    `json:"problems,omitempty"`
	}{"urn:veneer:problem:" + token, http.StatusText(status), status, detail, problems})
	if err != nil {
		panic(fmt.Errorf("BUG: problems are no JSON: %w", err))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(text) // the client may be gone
	}
}
