package telemetry

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"
)

const (
	sampledParent   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsampledParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

// always and never are what the request itself does not decide.
func always() uint64 { return 0 }
func never() uint64  { return 1<<64 - 1 }

// A valid traceparent decides; anything else is as if it were not there.
func TestSampleByParent(t *testing.T) {
	long := "01" + sampledParent[2:]
	for _, c := range []struct {
		name    string
		lines   []string
		parent  bool
		sampled bool // if parent
	}{
		{"none", nil, false, false},
		{"sampled", []string{sampledParent}, true, true},
		{"not sampled", []string{unsampledParent}, true, false},
		{"random, sampled", []string{sampledParent[:53] + "03"}, true, true},
		{"random, not sampled", []string{sampledParent[:53] + "02"}, true, false},
		{"other flags", []string{sampledParent[:53] + "f8"}, true, false},
		{"a later version", []string{long}, true, true},
		{"a later version with more", []string{long + "-anything"}, true, true},
		{"a later version with more of it", []string{long + "1"}, false, false},
		{"version ff", []string{"ff" + sampledParent[2:]}, false, false},
		{"version 00 with more", []string{sampledParent + "-00"}, false, false},
		{"twice", []string{sampledParent, sampledParent}, false, false},
		{"twice in a line", []string{sampledParent + "," + sampledParent}, false, false},
		{"empty", []string{""}, false, false},
		{"short", []string{sampledParent[:54]}, false, false},
		{"upper case", []string{strings.ToUpper(sampledParent)}, false, false},
		{"no digit", []string{strings.Replace(sampledParent, "7", "g", 1)}, false, false},
		{"not ASCII", []string{strings.Replace(sampledParent, "7", "\xff", 1)}, false, false},
		{"no dash", []string{strings.Replace(sampledParent, "-", "_", 1)}, false, false},
		{"no trace", []string{"00-" + strings.Repeat("0", 32) + sampledParent[35:]}, false, false},
		{"no span", []string{sampledParent[:36] + strings.Repeat("0", 16) + "-01"}, false, false},
		{"space", []string{" " + sampledParent}, false, false},
	} {
		wantAlways, wantNever := true, false
		if c.parent {
			wantAlways, wantNever = c.sampled, c.sampled
		}
		picks, refuses := newSampler(0.5, always), newSampler(0.5, never)
		if got := picks.sample(c.lines, ""); got != wantAlways {
			t.Errorf("%s: %v where the draw says yes, want %v", c.name, got, wantAlways)
		}
		if got := refuses.sample(c.lines, ""); got != wantNever {
			t.Errorf("%s: %v where the draw says no, want %v", c.name, got, wantNever)
		}
	}
}

// What is read here is what the library reads, but for version 00: flags that
// nobody knows yet are ignored as the specification has it, and a dash behind
// the last of them is one too many.
func TestParentAsTheLibraryReadsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := []byte(sampledParent)
		for range rapid.IntRange(0, 3).Draw(t, "edits") {
			at := rapid.IntRange(0, len(line)-1).Draw(t, "at")
			line[at] = rapid.SampledFrom([]byte("01234567890abcdefABCDEFg-_ \xff")).Draw(t, "byte")
		}
		text := string(line) + rapid.SampledFrom([]string{"", "", "", "-", "-x", "x"}).Draw(t, "tail")
		p, ok := parseParent([]string{text})
		if text[:2] == "00" && (ok && text[53:] > "03" || len(text) == 56 && text[55] == '-') {
			return
		}
		ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(http.Header{"Traceparent": {text}}))
		sc := trace.SpanContextFromContext(ctx)
		if ok != sc.IsValid() || ok && (p.trace != sc.TraceID() || p.span != sc.SpanID() || p.flags != sc.TraceFlags()) {
			t.Fatalf("%q: got %v %v, the library has %v", text, p, ok, sc)
		}
	})
}

// The share of the draws is the ratio. The source is seeded: it is always the
// same run.
func TestSampleRatio(t *testing.T) {
	const draws = 100_000
	for _, c := range []struct{ ratio, low, high float64 }{
		{0, 0, 0},
		{0.01, 0.009, 0.011},
		{0.5, 0.495, 0.505},
		{1, 1, 1},
		{-1, 0, 0},
	} {
		s := newSampler(c.ratio, rand.New(rand.NewPCG(1, 2)).Uint64)
		n := 0
		for range draws {
			if s.sample(nil, "") {
				n++
			}
		}
		if got := float64(n) / draws; got < c.low || got > c.high {
			t.Errorf("ratio %v: %v were sampled", c.ratio, got)
		}
	}
	for _, random := range []func() uint64{always, never} { // the ends are exact
		if s := newSampler(1, random); !s.sample(nil, "") {
			t.Error("ratio 1 leaves a request out")
		}
		if s := newSampler(0, random); s.sample(nil, "") {
			t.Error("ratio 0 takes a request")
		}
	}
}

func TestSamplerFromEnvironment(t *testing.T) {
	type asked struct{ root, sampled, unsampled bool } // a half of the roots is drawn: ours is in, or not
	for _, c := range []struct {
		sampler, arg  string
		misunderstood string
		want          asked
	}{
		{"", "", "", asked{true, true, false}},
		{"", "0", "", asked{true, true, false}}, // without a sampler it says nothing
		{"always_on", "", "", asked{true, true, true}},
		{"always_off", "1", "", asked{false, false, false}},
		{"traceidratio", "1", "", asked{true, true, true}},
		{"traceidratio", "", "", asked{true, true, true}},
		{"traceidratio", "0", "", asked{false, false, false}},
		{"traceidratio", "0.01", "", asked{true, false, false}}, // the trace's id is above it
		{"parentbased_always_on", "", "", asked{true, true, false}},
		{"parentbased_always_off", "", "", asked{false, true, false}},
		{"parentbased_traceidratio", "0", "", asked{false, true, false}},
		{"parentbased_traceidratio", "2", envSamplerArg, asked{true, true, false}},
		{"parentbased_traceidratio", "NaN", envSamplerArg, asked{true, true, false}},
		{"jaeger_remote", "", envSampler, asked{true, true, false}},
	} {
		t.Setenv(envSampler, c.sampler)
		t.Setenv(envSamplerArg, c.arg)
		s := newSampler(0.5, always)
		s.parents = ParentsAll
		name := s.fromEnvironment()
		got := asked{s.sample(nil, ""), s.sample([]string{sampledParent}, ""), s.sample([]string{unsampledParent}, "")}
		if got != c.want || name != c.misunderstood {
			t.Errorf("%s %s: %+v %q, want %+v %q", c.sampler, c.arg, got, name, c.want, c.misunderstood)
		}
	}
}

// Whose traceparent decides, and how many strangers' do in a second.
func TestParents(t *testing.T) {
	const friend, stranger = "10.0.0.1:1", "192.0.2.1:1"
	for _, c := range []struct {
		parents           Parents
		friends, stranger int  // of 250 sampled parents at once
		suppressed        bool // an unsampled parent of a stranger decides
	}{
		{ParentsBounded, 250, StrangersPerSecond, true},
		{ParentsAll, 250, 250, true},
		{ParentsTrusted, 250, 0, false},
		{ParentsNone, 0, 0, false},
	} {
		s := newSampler(0, nil)
		now := time.Unix(1_700_000_000, 0)
		s.now = func() time.Time { return now }
		s.parents, s.known = c.parents, func(peer string) bool { return peer == friend }
		count := func(peer string) (n int) {
			for range 250 {
				if s.sample([]string{sampledParent}, peer) {
					n++
				}
			}
			return n
		}
		if f, o := count(friend), count(stranger); f != c.friends || o != c.stranger {
			t.Errorf("%d: %d of friends, %d of strangers", c.parents, f, o)
		}
		if c.parents == ParentsBounded {
			now = now.Add(time.Second / 10)
			if n := count(stranger); n != StrangersPerSecond/10 {
				t.Errorf("%d strangers a tenth of a second later", n)
			}
			now = now.Add(time.Hour)
			if n := count(stranger); n != StrangersPerSecond {
				t.Errorf("%d strangers an hour later", n)
			}
		}
		s.setRatio(1)
		if got := !s.sample([]string{unsampledParent}, stranger); got != c.suppressed {
			t.Errorf("%d: an unsampled parent decides: %t", c.parents, got)
		}
	}
}

// With traceidratio the id of a trace decides where its sender is trusted. A
// stranger's, which may be one that always is below the ratio, decides nothing.
func TestTraceIDRatio(t *testing.T) {
	const friend, stranger = "10.0.0.1:1", "192.0.2.1:1"
	const low, high = "00-" + "0af7651916cd43dd0000000000000001" + "-b7ad6b7169203331-00", sampledParent
	t.Setenv(envSampler, "traceidratio")
	t.Setenv(envSamplerArg, "0.01")
	for _, c := range []struct {
		parents          Parents
		friend, stranger bool // the id decides
	}{
		{ParentsBounded, true, false},
		{ParentsAll, true, true},
		{ParentsTrusted, true, false},
		{ParentsNone, false, false},
	} {
		for peer, decides := range map[string]bool{friend: c.friend, stranger: c.stranger} {
			for _, drawn := range []bool{true, false} {
				draw := uint64(1<<64 - 1)
				if drawn {
					draw = 0
				}
				s := newSampler(0, func() uint64 { return draw })
				s.parents, s.known = c.parents, func(peer string) bool { return peer == friend }
				if name := s.fromEnvironment(); name != "" {
					t.Fatal(name)
				}
				wantLow, wantHigh := drawn, drawn
				if decides {
					wantLow, wantHigh = true, false
				}
				if gotLow, gotHigh := s.sample([]string{low}, peer), s.sample([]string{high}, peer); gotLow != wantLow || gotHigh != wantHigh {
					t.Errorf("parents %d, %s, drawn %t: %t below the ratio and %t above it, want %t and %t",
						c.parents, peer, drawn, gotLow, gotHigh, wantLow, wantHigh)
				}
			}
		}
	}
}
