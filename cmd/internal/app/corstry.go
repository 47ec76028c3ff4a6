package app

import (
	"context"
	"io"
	"net/http"
	"time"

	"veneer/cmd/internal/admin"
	"veneer/cmd/internal/corstry"
)

// tryTimeout bounds a try-out. It is less than the admin listener gives an
// answer.
const tryTimeout = 30 * time.Second

// trier answers POST /api/cors-try, one question after the other.
type trier struct {
	handler http.Handler
	turn    chan struct{} // holds one token
}

func newTrier(a *App) *trier {
	t := &trier{handler: a.engine, turn: make(chan struct{}, 1)}
	t.turn <- struct{}{}
	return t
}

// ServeHTTP implements http.Handler.
func (t *trier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var q *corstry.Question
	if err == nil {
		q, err = corstry.Parse(body)
	}
	if err != nil {
		admin.WriteProblem(w, r, http.StatusBadRequest, "bad-question", err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), tryTimeout)
	defer cancel()
	select {
	case <-t.turn:
		defer func() { t.turn <- struct{}{} }()
	case <-ctx.Done():
		return
	}
	answer(w, struct {
		Answers []corstry.Answer `json:"answers"`
	}{corstry.Ask(ctx, t.handler, q)})
}
