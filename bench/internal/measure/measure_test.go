package measure

import "testing"

func TestTimes(t *testing.T) {
	times := Times{1, 2, 40}
	if times.Least() != 1 || times.Median() != 2 {
		t.Errorf("least %v, median %v", times.Least(), times.Median())
	}
}

// All are called in each round, in their order, and what takes longer is seen
// to take longer.
func TestInterleaved(t *testing.T) {
	var sum int
	work := func(n int) func() {
		return func() {
			for i := range n {
				sum += i ^ sum
			}
		}
	}
	got := Interleaved(5, work(100), work(100_000))
	if len(got) != 2 || len(got[0]) != 5 || len(got[1]) != 5 {
		t.Fatalf("got %v", got)
	}
	if short, long := got[0].Least(), got[1].Least(); short <= 0 || long < 20*short {
		t.Errorf("100 steps take %v ns, 100000 %v ns", short, long)
	}
	for _, times := range got {
		if times.Least() > times.Median() {
			t.Errorf("not sorted: %v", times)
		}
	}
	if sum == 0 {
		t.Error("nothing was done")
	}
}

func TestProcessor(t *testing.T) {
	before, ok := Processor()
	if !ok {
		t.Skip("this system does not say")
	}
	Interleaved(3, func() {})
	if after, ok := Processor(); !ok || after < before {
		t.Errorf("%v, then %v", before, after)
	}
}
