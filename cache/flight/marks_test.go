package flight

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestMarks(t *testing.T) {
	type step struct {
		at   time.Duration
		do   string // mark, clear
		key  string
		want map[string]bool // what is marked afterwards
	}
	tests := []struct {
		name  string
		opt   MarksOptions
		steps []step
	}{
		{"holds 120 s", MarksOptions{}, []step{
			{0, "", "", map[string]bool{"a": false}},
			{0, "mark", "a", map[string]bool{"a": true, "b": false}},
			{120*time.Second - 1, "", "", map[string]bool{"a": true}},
			{120 * time.Second, "", "", map[string]bool{"a": false}},
		}},
		{"begins anew", MarksOptions{TTL: time.Second}, []step{
			{0, "mark", "a", nil},
			{900 * time.Millisecond, "mark", "a", nil},
			{1800 * time.Millisecond, "", "", map[string]bool{"a": true}},
		}},
		{"clear", MarksOptions{}, []step{
			{0, "mark", "a", nil},
			{0, "mark", "b", nil},
			{0, "clear", "a", map[string]bool{"a": false, "b": true}},
			{0, "clear", "a", nil},
			{0, "mark", "c", map[string]bool{"a": false, "b": true, "c": true}},
		}},
		{"the oldest goes", MarksOptions{Max: 2}, []step{
			{0, "mark", "a", nil},
			{1, "mark", "b", nil},
			{2, "mark", "a", nil},
			{3, "mark", "c", map[string]bool{"a": true, "b": false, "c": true}},
		}},
		{"a caller that is a little behind", MarksOptions{TTL: time.Second}, []step{
			{time.Minute, "mark", "a", nil},
			{time.Minute - 1, "", "", map[string]bool{"a": true}},
		}},
		{"a clock that jumps back", MarksOptions{TTL: time.Second}, []step{
			{time.Hour, "mark", "a", nil},
			{0, "", "", map[string]bool{"a": false}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := NewMarks(tt.opt)
			for i, s := range tt.steps {
				now := noon.Add(s.at)
				switch s.do {
				case "mark":
					m.Mark([]byte(s.key), uint8(i), now)
				case "clear":
					m.Clear([]byte(s.key))
				}
				for key, want := range s.want {
					if _, got := m.Marked([]byte(key), now); got != want {
						t.Errorf("step %d: Marked(%s) = %t", i, key, got)
					}
				}
			}
		})
	}
}

// TestMarksAgainstModel compares with a slice that is searched.
func TestMarksAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type entry struct {
			key string
			at  time.Time
			why uint8
		}
		limit := rapid.IntRange(1, 6).Draw(t, "max")
		m := NewMarks(MarksOptions{TTL: 10 * time.Second, Max: limit})
		var model []entry // oldest first
		now := noon
		find := func(key string) int {
			for i, e := range model {
				if e.key == key {
					return i
				}
			}
			return -1
		}
		remove := func(i int) {
			if i >= 0 {
				model = append(model[:i:i], model[i+1:]...)
			}
		}
		key := rapid.Custom(func(t *rapid.T) string { return fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "key")) })
		t.Repeat(map[string]func(*rapid.T){
			"tick": func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(0, 4).Draw(t, "s")) * time.Second) },
			"mark": func(t *rapid.T) {
				k := key.Draw(t, "key")
				why := rapid.Uint8().Draw(t, "why")
				m.Mark([]byte(k), why, now)
				remove(find(k))
				if len(model) == limit {
					remove(0)
				}
				model = append(model, entry{k, now, why})
			},
			"clear": func(t *rapid.T) {
				k := key.Draw(t, "key")
				m.Clear([]byte(k))
				remove(find(k))
			},
			"ask": func(t *rapid.T) {
				k := key.Draw(t, "key")
				i := find(k)
				want := i >= 0 && now.Sub(model[i].at) < 10*time.Second
				why, got := m.Marked([]byte(k), now)
				if got != want || want && why != model[i].why || !want && why != 0 {
					t.Fatalf("Marked(%s) = %d, %t", k, why, got)
				}
				if !want {
					remove(i)
				}
			},
			"": func(t *rapid.T) {
				if m.Len() != len(model) {
					t.Fatalf("Len = %d, want %d", m.Len(), len(model))
				}
				if len(m.slots) > limit+1 {
					t.Fatalf("%d slots for %d marks", len(m.slots), limit)
				}
			},
		})
	})
}
