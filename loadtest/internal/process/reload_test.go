package process

import (
	"errors"
	"strings"
	"testing"
)

// reloads makes the first changes of the sequence, in which each way and each
// fault is.
func reloads(t *testing.T, p *Process) {
	t.Helper()
	want := State{Ready: 200, Successful: 1, Generation: 1}
	for n := range 8 {
		c := Number(n)
		c.Settings = settings()
		if c.Fault == NoFault {
			want.Taken++
			want.Generation++
			want.Successful = 1
		} else {
			want.Refused++
			want.Successful = 0
		}
		generation, err := p.Reload(t.Context(), c)
		if refused := errors.Is(err, ErrRefused); refused != (c.Fault != NoFault) || err != nil && !refused {
			t.Errorf("%s by %s: %v", c.Fault, c.Way, err)
		}
		if told := err == nil && c.Way == ByAPI; told && generation != 1+want.Taken || !told && generation != 0 {
			t.Errorf("%s by %s: generation %d after %d", c.Fault, c.Way, generation, want.Taken)
		}
		got, err := p.State(t.Context())
		if bad := c.Fault != NoFault; (got.Detail != "") != bad || (got.Error != "") != bad {
			t.Errorf("%s by %s: detail %q, error %q", c.Fault, c.Way, got.Detail, got.Error)
		}
		got.Detail, got.Error = "", ""
		if err != nil || got != want {
			t.Errorf("%s by %s: %+v, %v; want %+v", c.Fault, c.Way, got, err, want)
		}
	}
	bad := Change{Settings: settings()}
	bad.Settings.Listed = []string{"not an origin"}
	if _, err := p.Reload(t.Context(), bad); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "not an origin") {
		t.Errorf("a bad policy: %v, want that it is refused and why", err)
	}
}

// The sequence has each pair of a way and a fault, and a good one before each.
func TestNumber(t *testing.T) {
	type pair struct {
		way   Way
		fault Fault
	}
	seen := map[pair]bool{}
	for n := range 2 * int(ways) * int(faults-1) {
		c := Number(n)
		if (c.Fault == NoFault) != (n%2 == 0) {
			t.Errorf("change %d is %s", n, c.Fault)
		}
		seen[pair{c.Way, c.Fault}] = true
	}
	if want := int(ways) * int(faults); len(seen) != want {
		t.Errorf("%d pairs, want %d: %v", len(seen), want, seen)
	}
}

// A fault is in the file.
func TestFaults(t *testing.T) {
	good, err := Change{Settings: settings()}.text()
	if err != nil {
		t.Fatal(err)
	}
	for f := Syntax; f < faults; f++ {
		if text, err := (Change{Settings: settings(), Fault: f}).text(); err != nil || text == good {
			t.Errorf("%s: %v, the same as the good one: %t", f, err, text == good)
		}
	}
}

func TestMeasure(t *testing.T) {
	const text = `# TYPE veneer_config_reloads_total counter
veneer_config_last_reload_successful 1
veneer_config_reloads_total{result="failed"} 3
veneer_config_reloads_total{result="ok"} 4
`
	var s State
	if err := s.measure(text); err != nil || s != (State{Successful: 1, Taken: 4, Refused: 3}) {
		t.Errorf("%+v, %v", s, err)
	}
	for _, c := range []struct{ text, say string }{
		{strings.Replace(text, "failed", "other", 1), `cannot find the metric veneer_config_reloads_total{result="failed"}`},
		{strings.Replace(text, " 4", " four", 1), `cannot read the metric veneer_config_reloads_total{result="ok"}`},
	} {
		if err := s.measure(c.text); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%v, want %s", err, c.say)
		}
	}
}
