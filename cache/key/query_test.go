package key

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestQueryRules(t *testing.T) {
	sorted := Query{Sort: true}
	ignore := Query{Ignore: []string{"utm_*", "fbclid", "f[x]"}}
	allow := Query{Allow: []string{"id", "p*"}, Ignore: []string{"page"}, Sort: true}
	for _, c := range []struct {
		name      string
		query     Query
		raw, want string
	}{
		{"sort", sorted, "b=1&a=2", "a=2&b=1"},
		{"sort keeps equal names in order", sorted, "b=2&a=9&b=1&a=8", "a=9&a=8&b=2&b=1"},
		{"sort already sorted", sorted, "a&a=1&b", "a&a=1&b"},
		{"sort by decoded name", sorted, "a+b=2&a%20b=1", "a+b=2&a%20b=1"},
		{"sort ignores values", sorted, "a=z&a=a", "a=z&a=a"},
		{"sort keeps empty parameters", sorted, "b&&a", "&a&b"},
		{"sort name before its prefix's extension", sorted, "ab&a=1", "a=1&ab"},
		{"sort with an encoded name", sorted, "%62=1&a=2", "a=2&b=1"},
		{"semicolon is no separator", sorted, "b;a=1", "b;a=1"},
		{"ignore prefix", ignore, "utm_source=x&id=1&utm_medium=y", "id=1"},
		{"ignore all", ignore, "utm_source=x&fbclid=1", ""},
		{"ignore exact only", ignore, "fbclid2=1&xfbclid=2", "fbclid2=1&xfbclid=2"},
		{"ignore an encoded name", ignore, "%75tm%5Fsource=1&a=2", "a=2"},
		{"ignore a name with brackets", ignore, "f[x]=1&f%5bx%5d=2&f%5Bx=3", "f%5Bx=3"},
		{"ignore keeps case", ignore, "UTM_source=1", "UTM_source=1"},
		{"ignore does not look behind a semicolon", ignore, "a=1;utm_x=2", "a=1;utm_x=2"},
		{"allow", allow, "q=1&page=2&id=3&p=4", "id=3&p=4&page=2"},
		{"allow none", Query{AllowSet: true}, "a=1&b=2", ""},
		{"allow the nameless", Query{Allow: []string{""}}, "a=1&=2&&", "=2&&"},
		{"allow everything", Query{Allow: []string{"*"}}, "b&a", "b&a"},
		{"empty", allow, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.query.Canonical("http", "a", "/", c.raw)
			if err != nil || got.Query != c.want {
				t.Errorf("got  %q, %v\nwant %q", got.Query, err, c.want)
			}
		})
	}
}

// queryText draws queries of few names in many spellings.
func queryText(t *rapid.T) string {
	param := rapid.Custom(func(t *rapid.T) string {
		name := rapid.SampledFrom([]string{"a", "%61", "b", "a+b", "a%20b", "utm_a", "utm%5fb", "", "a%2B", "%", "ü"}).Draw(t, "name")
		return name + rapid.SampledFrom([]string{"", "=", "=1", "=2", "=%zz", "=%2b"}).Draw(t, "value")
	})
	return strings.Join(rapid.SliceOfN(param, 0, 8).Draw(t, "params"), "&")
}

// Sorting and ignoring change nothing for an upstream that reads the
// parameters that are left by name.
func TestQueryRulesKeepMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := canonicalQuery(queryText(t))
		q := Query{Sort: rapid.Bool().Draw(t, "sort"), Ignore: []string{"utm_*"}}
		got := q.apply(raw)
		if again := q.apply(got); again != got {
			t.Fatalf("%q: not idempotent: %q → %q", raw, got, again)
		}
		want, _ := url.ParseQuery(raw)
		for name := range want {
			if strings.HasPrefix(name, "utm_") {
				delete(want, name)
			}
		}
		values, _ := url.ParseQuery(got)
		if len(values) != len(want) {
			t.Fatalf("%q → %q: other names", raw, got)
		}
		for name := range want {
			if !slices.Equal(values[name], want[name]) {
				t.Fatalf("%q → %q: %q is %q, was %q", raw, got, name, values[name], want[name])
			}
		}
	})
}

// The order of parameters with different names makes no difference to a
// sorted query.
func TestSortedQueriesAreOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-d%+]{0,3}`), 0, 6, func(n string) string {
			d, _ := url.QueryUnescape(canonicalQuery(n))
			return d
		}).Draw(t, "names")
		shuffled := rapid.Permutation(names).Draw(t, "shuffled")
		q := Query{Sort: true}
		a := q.apply(canonicalQuery(strings.Join(names, "=1&") + "=1"))
		b := q.apply(canonicalQuery(strings.Join(shuffled, "=1&") + "=1"))
		if a != b {
			t.Fatalf("%q and %q", a, b)
		}
	})
}

// Short slices are sorted stably by any sort: only a long query shows that
// equal names keep their order.
func TestLongQueriesKeepOrder(t *testing.T) {
	var params, as, bs []string
	for i := range 100 {
		a, b := "a="+strconv.Itoa(i), "b="+strconv.Itoa(i)
		params = append(params, b, a)
		as, bs = append(as, a), append(bs, b)
	}
	got := (&Query{Sort: true}).apply(strings.Join(params, "&"))
	if want := strings.Join(append(as, bs...), "&"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
