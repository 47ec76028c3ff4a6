package app

import (
	"veneer/cmd/internal/telemetry"
	"veneer/corslayer"
)

// tier is the label of the store: there is one.
const tier = "memory"

// registerStore makes the store's figures visible for the life of the App.
func (a *App) registerStore() {
	one := func(value func() int64) func() []telemetry.Sample {
		return func() []telemetry.Sample {
			return []telemetry.Sample{{Labels: [2]string{tier}, Value: value()}}
		}
	}
	a.telemetry.Register(telemetry.CacheBytes, one(func() int64 { return a.store.Stats().Bytes }))
	a.telemetry.Register(telemetry.CacheObjects, one(func() int64 { return int64(a.store.Stats().Objects) }))
	a.telemetry.Register(telemetry.CacheEvictions, one(func() int64 { return int64(a.store.Stats().Evictions) }))
}

// registerLayer makes a layer's counters visible until its unregister is
// called. Each layer is a source of its own: one that a reload keeps must not
// be counted twice.
func (a *App) registerLayer(l *layer) {
	decisions := a.telemetry.Register(telemetry.CORSDecisions, func() []telemetry.Sample { return decisionSamples(l) })
	stripped := a.telemetry.Register(telemetry.CORSStripped, func() []telemetry.Sample {
		return []telemetry.Sample{{Labels: [2]string{l.from.upstream}, Value: int64(l.policy.Counts().Stripped)}}
	})
	if l.shadow == nil {
		l.unregister = func() { decisions(); stripped() }
		return
	}
	differences := a.telemetry.Register(telemetry.CORSShadow, func() []telemetry.Sample { return shadowSamples(l) })
	l.unregister = func() { decisions(); stripped(); differences() }
}

// shadowSamples has all differences, also those at zero: that there is none is
// what a shadow is run for.
func shadowSamples(l *layer) []telemetry.Sample {
	all := corslayer.Differences()
	samples := make([]telemetry.Sample, len(all))
	for i, d := range all {
		samples[i] = telemetry.Sample{Labels: [2]string{l.route, d.String()}, Value: int64(l.shadow.Count(d))}
	}
	return samples
}

func decisionSamples(l *layer) []telemetry.Sample {
	c := l.policy.Counts()
	samples := make([]telemetry.Sample, 0, 9)
	for _, d := range []struct {
		decision string
		n        uint64
	}{
		{"none", c.None}, {"allowed", c.Allowed}, {"refused", c.Refused}, {"null", c.Null}, {"bad", c.Bad},
		{"preflight_ok", c.PreflightOK}, {"preflight_refused_origin", c.PreflightRefusedOrigin},
		{"preflight_refused_method", c.PreflightRefusedMethod}, {"preflight_refused_header", c.PreflightRefusedHeader},
	} {
		samples = append(samples, telemetry.Sample{Labels: [2]string{l.route, d.decision}, Value: int64(d.n)})
	}
	return samples
}

// registerPool makes the health of an upstream's servers visible until the
// pool's unregister is called.
func (a *App) registerPool(name string, up *pool) {
	up.unregister = a.telemetry.Register(telemetry.UpstreamHealthy, func() []telemetry.Sample {
		servers := up.Servers()
		samples := make([]telemetry.Sample, len(servers))
		for i, s := range servers {
			samples[i].Labels = [2]string{name, s.URL}
			if s.Healthy {
				samples[i].Value = 1
			}
		}
		return samples
	})
}
