package memory

import (
	"errors"
	"fmt"
	"testing"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cache/store/storetest"
)

// Foresee says of a Put's caps what Put then says.
func TestForesee(t *testing.T) {
	s, err := New(Config{Size: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	opt := cache.PutOptions{Variants: 2, Origins: 2}
	seen := map[error]int{}
	for origin := range 3 {
		for variant := range 3 {
			sel := key.Selecting{Names: []string{"X-Lang"}, Values: []string{fmt.Sprint(variant)}}
			o := storetest.Object(storetest.Key("http://site.example/", fmt.Sprint(origin)), sel, "content")
			opt.Epoch = s.Epoch([]byte(o.URI()))
			foreseen := s.Foresee(o, opt)
			got := s.Put(t.Context(), o, opt)
			if !errors.Is(got, foreseen) {
				t.Errorf("origin %d, variant %d: foreseen %v, got %v", origin, variant, foreseen, got)
			}
			seen[got]++
			if again := s.Foresee(o, opt); got == nil && again != nil {
				t.Errorf("a replacement is refused: %v", again)
			}
		}
	}
	if seen[nil] != 4 || seen[cache.ErrTooManyVariants] != 2 || seen[cache.ErrTooManyOrigins] != 3 {
		t.Errorf("got %v", seen)
	}
}
