package openloop

import (
	"math/rand/v2"
	"time"
)

// A Schedule yields the intended times of requests, as offsets from the start
// of a run and in order, until it yields false. It is called by one goroutine
// at a time, and used for one run.
type Schedule func() (offset time.Duration, more bool)

// Poisson is what many independent clients make: rate requests a second on
// average, for a time, with gaps that are exponentially distributed. One seed
// gives one schedule.
func Poisson(rate float64, lasts time.Duration, seed uint64) Schedule {
	random := rand.New(rand.NewPCG(seed, 1))
	var at time.Duration
	return func() (time.Duration, bool) {
		at += time.Duration(random.ExpFloat64() / rate * float64(time.Second))
		return at, at < lasts
	}
}

// Constant has one request every 1/rate seconds, for a time.
func Constant(rate float64, lasts time.Duration) Schedule {
	n := -1
	return func() (time.Duration, bool) {
		n++
		at := time.Duration(float64(n) / rate * float64(time.Second))
		return at, at < lasts
	}
}

// Herds has count times size requests at the same instant, the instants every
// so long.
func Herds(size, count int, every time.Duration) Schedule {
	n := -1
	return func() (time.Duration, bool) {
		n++
		return time.Duration(n/size) * every, n < size*count
	}
}
