package app

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"veneer/cmd/internal/admin"
	"veneer/cmd/internal/telemetry"
)

// serveReload is POST /api/reload: what SIGHUP does, with an answer.
func (a *App) serveReload(w http.ResponseWriter, r *http.Request) {
	err := a.ReloadFile()
	var bad *ProblemsError
	switch {
	case err == nil:
		s := a.ConfigStatus()
		text, _ := json.Marshal(struct { // a bool, a number and a string: it cannot fail
			OK         bool   `json:"ok"`
			Generation uint64 `json:"generation"`
			LoadedAt   string `json:"loaded_at"`
		}{true, s.Generation, s.LoadedAt.UTC().Format(time.RFC3339)})
		a.log.Info("reloaded")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(text, '\n')) // the client may be gone
		return
	case errors.Is(err, errNoFile):
		admin.WriteProblem(w, r, http.StatusConflict, "no-file", err.Error())
		return
	case errors.As(err, &bad):
		type problem struct {
			Where string `json:"where"`
			Field string `json:"field,omitempty"`
			Got   string `json:"got,omitempty"`
			Why   string `json:"why"`
			Fix   string `json:"fix,omitempty"`
		}
		list := make([]problem, len(bad.Problems))
		for i, p := range bad.Problems {
			list[i] = problem{p.Where(), p.Field, p.Got, p.Why, p.Fix}
		}
		admin.WriteProblems(w, r, http.StatusUnprocessableEntity, "bad-configuration", err.Error(), list)
	default:
		admin.WriteProblem(w, r, http.StatusUnprocessableEntity, "reload-refused", err.Error())
	}
	a.log.Error("the old configuration stays", "error", err)
}

// configurationCheck is the part of /readyz about the configuration. That one
// could not be taken makes no instance unready: it runs with the old one.
func (a *App) configurationCheck() admin.Check {
	s := a.ConfigStatus()
	c := admin.Check{Name: "configuration", OK: s.OK}
	if !s.OK {
		c.Detail = "the one of " + s.LoadedAt.UTC().Format(time.RFC3339) + " runs on; the last reload failed, see the log"
	}
	return c
}

// registerConfig makes the state of the configuration visible for the life of
// the App.
func (a *App) registerConfig() {
	a.telemetry.Register(telemetry.ConfigReloads, func() []telemetry.Sample {
		s := a.ConfigStatus()
		return []telemetry.Sample{
			{Labels: [2]string{"ok"}, Value: s.Reloads},
			{Labels: [2]string{"failed"}, Value: s.Failures},
		}
	})
	a.telemetry.Register(telemetry.ConfigSuccessful, func() []telemetry.Sample {
		var value int64
		if a.ConfigStatus().OK {
			value = 1
		}
		return []telemetry.Sample{{Value: value}}
	})
	a.telemetry.Register(telemetry.ConfigLoaded, func() []telemetry.Sample {
		return []telemetry.Sample{{Value: a.ConfigStatus().LoadedAt.Unix()}}
	})
}
