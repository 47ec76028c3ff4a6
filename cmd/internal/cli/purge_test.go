package cli

import "testing"

func TestPurgeAnswer(t *testing.T) {
	for want, a := range map[string]purgeAnswer{
		"0 stored responses are stale now: they are validated before the next use": {},
		"1 stored response is stale now: it is validated before the next use":      {Touched: 1},
		"1 stored response is removed":                                             {Touched: 1, Hard: true},
		"2 stored responses are removed":                                           {Touched: 2, Hard: true},
	} {
		if got := a.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
