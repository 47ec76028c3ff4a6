package telemetry

// Metric is a metric whose numbers another package keeps.
type Metric uint8

// The metrics that Register takes, with their labels.
const (
	CacheBytes       Metric = iota // veneer_cache_bytes{tier}
	CacheObjects                   // veneer_cache_objects{tier}
	CacheEvictions                 // veneer_cache_evictions_total{tier}
	CORSDecisions                  // veneer_cors_decisions_total{route,decision}
	CORSStripped                   // veneer_cors_stripped_total{upstream}
	CORSShadow                     // veneer_cors_shadow_total{route,difference}
	UpstreamHealthy                // veneer_upstream_healthy{upstream,server}: 1 or 0
	Purges                         // veneer_purges_total{kind}
	AccessLogDropped               // veneer_access_log_dropped_total{cause}: slow or failed
	TelemetryDropped               // veneer_telemetry_dropped_total{signal}; this package counts it
	ConfigReloads                  // veneer_config_reloads_total{result}
	ConfigSuccessful               // veneer_config_last_reload_successful: 1 or 0
	ConfigLoaded                   // veneer_config_loaded_timestamp_seconds: Unix time

	metricCount // keep last
)

// definition is what OpenTelemetry needs to know of a Metric. The exporter adds
// the suffix _total to a counter, and _bytes for the unit By.
type definition struct {
	name, unit, help string
	labels           []string
	counter          bool
}

var definitions = [metricCount]definition{
	CacheBytes:       {"veneer.cache", "By", "Bytes that the stored responses take, by tier.", []string{"tier"}, false},
	CacheObjects:     {"veneer.cache.objects", "", "Stored responses, by tier.", []string{"tier"}, false},
	CacheEvictions:   {"veneer.cache.evictions", "", "Stored responses that had to make room, by tier.", []string{"tier"}, true},
	CORSDecisions:    {"veneer.cors.decisions", "", "CORS decisions, by route.", []string{"route", "decision"}, true},
	CORSStripped:     {"veneer.cors.stripped", "", "Responses from which CORS fields were stripped, by upstream: it has a CORS layer of its own.", []string{"upstream"}, true},
	CORSShadow:       {"veneer.cors.shadow", "", "Requests that the shadow policy would have answered otherwise, by route and difference.", []string{"route", "difference"}, true},
	UpstreamHealthy:  {"veneer.upstream.healthy", "", "Whether a server takes requests: 1 or 0.", []string{"upstream", "server"}, false},
	Purges:           {"veneer.purges", "", "Purges, by kind.", []string{"kind"}, true},
	AccessLogDropped: {"veneer.access.log.dropped", "", "Lines that the access log lost, by cause: slow, the output took them too slowly; failed, it refused them.", []string{"cause"}, true},
	TelemetryDropped: {"veneer.telemetry.dropped", "", "Spans, pushes of metrics and records of the logs that no collector took, by signal.", []string{"signal"}, true},

	ConfigReloads:    {"veneer.config.reloads", "", "Attempts to reload the configuration, by result.", []string{"result"}, true},
	ConfigSuccessful: {"veneer.config.last.reload.successful", "", "Whether the last attempt to reload the configuration succeeded: 1 or 0.", nil, false},
	ConfigLoaded:     {"veneer.config.loaded.timestamp", "s", "When the configuration that runs was loaded, as Unix time.", nil, false},
}

// Sample is one number of a snapshot. Labels are in the order in which the
// Metric's comment names them; a metric with one label leaves the second empty.
// Samples with equal labels are added up.
type Sample struct {
	Labels [2]string
	Value  int64
}

// family is one registered metric. Telemetry.mu guards it.
type family struct {
	sources []*source
	retired map[[2]string]int64 // what counters had when their source was unregistered
}

type source struct{ snapshot func() []Sample }

// Register makes snapshot a source of m: it is called at every scrape, from
// any goroutine but never twice at a time, must be quick, and must not call
// into the Telemetry.
//
// A reload registers the sources of the new configuration and then calls the
// returned function for those of the old one, best when its requests have
// ended: it takes a last snapshot, and what counters had counted stays in the
// sum. Gauges of an unregistered source vanish. A second call does nothing.
func (t *Telemetry) Register(m Metric, snapshot func() []Sample) (unregister func()) {
	s := &source{snapshot}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.families[m].sources = append(t.families[m].sources, s)
	return func() { t.unregister(m, s) }
}

func (t *Telemetry) unregister(m Metric, gone *source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := &t.families[m]
	for i, s := range f.sources {
		if s != gone {
			continue
		}
		// A new slice: the old one must not keep the configuration alive.
		f.sources = append(append([]*source(nil), f.sources[:i]...), f.sources[i+1:]...)
		if definitions[m].counter {
			if f.retired == nil {
				f.retired = make(map[[2]string]int64)
			}
			add(f.retired, m, gone.snapshot())
		}
		return
	}
}

// collect returns the sum of all sources of m, by label values.
func (t *Telemetry) collect(m Metric) map[[2]string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := &t.families[m]
	sum := make(map[[2]string]int64, len(f.retired))
	for labels, n := range f.retired {
		sum[labels] = n
	}
	for _, s := range f.sources {
		add(sum, m, s.snapshot())
	}
	return sum
}

// add adds samples to sum, within the limit of series.
func add(sum map[[2]string]int64, m Metric, samples []Sample) {
	for _, s := range samples {
		key := [2]string{label(s.Labels[0]), label(s.Labels[1])}
		if len(definitions[m].labels) == 1 {
			key[1] = ""
		}
		if _, known := sum[key]; !known && len(sum) >= maxSeries {
			key[0] = other
			if key[1] != "" {
				key[1] = other
			}
		}
		sum[key] += s.Value
	}
}
