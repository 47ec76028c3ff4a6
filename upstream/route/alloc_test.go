//go:build !race

package route

import "testing"

func TestLookupAllocatesNothing(t *testing.T) {
	table := many(1000)
	for _, host := range []string{"H42.example.com:443", "a.b.c.example.com", "other.test", ""} {
		if n := testing.AllocsPerRun(100, func() { table.Lookup(host, "/service/42/v1/users/7") }); n != 0 {
			t.Errorf("%q: %v allocations", host, n)
		}
	}
}
