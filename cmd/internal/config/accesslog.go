package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"veneer/cmd/internal/accesslog"
)

// The access log where the section does not say.
const (
	defaultLogBuffer = 64 << 10
	defaultLogFlush  = time.Second
	maxLogBuffer     = 16 << 20
)

// NewAccessLog returns the access log of a section that says nothing: all
// requests, as JSON on stdout.
func NewAccessLog() *accesslog.Config {
	return &accesslog.Config{
		Path: "stdout", Fields: accesslog.DefaultFields(), Sample: 1, Buffer: defaultLogBuffer, Flush: defaultLogFlush,
	}
}

// accessLog reads which requests are logged, and where; without the key none is.
func (r *reader) accessLog(s *section, dst *Telemetry) {
	v, ok := s.get("access_log")
	if !ok || v.is("off") || v.is("false") {
		return
	}
	c := NewAccessLog()
	sub := v.section()
	if v, ok := sub.get("path"); ok {
		if path, good := v.logPath(); good {
			c.Path = path
		}
	}
	choice(sub, "format", &c.Format, option[accesslog.Format]{"json", accesslog.JSON}, option[accesslog.Format]{"combined", accesslog.Combined})
	if c.Format == accesslog.Combined {
		c.Fields = nil // the format has its own; what is named stands behind them
	}
	if v, ok := sub.get("fields"); ok {
		c.Fields = v.logFields()
		if len(c.Fields) == 0 && c.Format == accesslog.JSON && r.clean(v.path) {
			v.problem("is empty, so that a line would say nothing", "leave it out for the usual ones, or the section for no log")
		}
	}
	if v, ok := sub.get("sample"); ok {
		if ratio, good := v.ratio(); good {
			c.Sample = ratio
		}
	}
	choice(sub, "always", &c.Errors, option[bool]{"errors", true}, option[bool]{"none", false})
	size := int64(c.Buffer)
	sub.size("buffer", &size, 4<<10, maxLogBuffer)
	c.Buffer = int(size)
	sub.duration("flush", &c.Flush, 0, time.Minute)
	sub.boolean("otlp", &c.OTLP)
	sub.done()
	dst.AccessLog = c
}

// logPath reads where lines go.
func (v value) logPath() (string, bool) {
	path, ok := v.text()
	if !ok {
		return "", false
	}
	const words = "stdout, stderr, or the path of a file"
	switch {
	case path == "stdout" || path == "stderr":
		return path, true
	case path == "-":
		v.problem("is no path", "stdout")
		return "", false
	case strings.HasSuffix(path, "/"):
		v.problem("is a directory", words)
		return "", false
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(v.r.file), path)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		v.problem("is a directory", words)
		return "", false
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		v.problem("there is no directory for it", "make "+quote(dir)+", writable for the user that runs veneer; or "+words)
		return "", false
	}
	return path, true
}

// logFields reads what a line says.
func (v value) logFields() (fields []accesslog.Field) {
	all := accesslog.AllFields()
	names := make([]string, len(all))
	for i, f := range all {
		names[i] = f.String()
	}
	for _, e := range v.list() {
		name, ok := e.text()
		if !ok {
			continue
		}
		f, known := accesslog.ParseField(name)
		switch {
		case !known:
			fix := nearest(name, names)
			if fix == "" || e.r.where[e.path].expanded {
				fix = "one of " + strings.Join(names, ", ")
			}
			e.problem("is not a field of the access log", fix)
		case slices.Contains(fields, f):
			e.problem("stands here twice", "remove one")
		default:
			fields = append(fields, f)
		}
	}
	return fields
}

// checkAccessLog is for a configuration that was built in code.
func (c *Config) checkAccessLog(r *report) {
	l := c.Telemetry.AccessLog
	if l == nil {
		return
	}
	const field = "telemetry.access_log"
	if l.Path == "" {
		l.Path = "stdout"
	}
	if l.Buffer == 0 {
		l.Buffer = defaultLogBuffer
	}
	if l.OTLP && c.Telemetry.Logs == nil && r.clean(field+".otlp") {
		r.problem(field+".otlp", `"true"`, "has no collector to go to", "telemetry: { logs: { otlp: true } }, or { endpoint: … } in place of true")
	}
	if !(l.Sample >= 0 && l.Sample <= 1) && r.clean(field+".sample") { // NaN is neither
		r.problem(field+".sample", "", "is out of range", "from 0 to 1")
	}
	if l.Sample == 0 && !l.Errors && r.clean(field+".sample") {
		r.warn(field+".sample", "", "lets no request into the log", "a share above 0, or always: errors, or access_log: off")
	}
}
