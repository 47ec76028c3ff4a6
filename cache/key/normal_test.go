package key

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// anyList draws weighted lists, good and bad; anyValue draws other values.
var (
	anyList = rapid.Custom(func(t *rapid.T) string {
		name := rapid.SampledFrom([]string{"gzip", "GZIP", "x-gzip", "br", "zstd", "identity", "*", "en", "de-AT", "De", ""})
		weight := rapid.SampledFrom([]string{"", "", ";q=1", "; q=0.5", ";Q=0.500", ";q=0", " ;q=0.000", ";q=0.001", ";q=2", ";q=", ";v=1"})
		n := rapid.IntRange(0, 4).Draw(t, "n")
		members := make([]string, n)
		for i := range members {
			members[i] = name.Draw(t, "name") + weight.Draw(t, "weight")
		}
		return strings.Join(members, rapid.SampledFrom([]string{",", ", ", " ,\t"}).Draw(t, "separator"))
	})
	anyValue = rapid.StringMatching(`[ab",\\ \t;=]{0,8}`)
)

func normal(name string, lines ...string) string { return string(appendNormal(nil, name, lines)) }

// full is a list of as many codings as are understood.
var full = func() []string {
	list := make([]string, maxMembers)
	for i := range list {
		list[i] = "x" + strconv.Itoa(i+10)
	}
	return list
}()

// normals are values and their normal forms.
var normals = []struct {
	name  string
	field string
	lines []string
	want  string
}{
	{"general", "Foo", []string{" a ,b,\tc "}, "a, b, c"},
	{"general lines", "Foo", []string{"a", "b"}, "a, b"},
	{"general empty members", "Foo", []string{"a,,b", "", "c,"}, "a, , b, , c,"},
	{"general commas only", "Foo", []string{",,"}, ", ,"},
	{"general runs", "Foo", []string{"a \t b"}, "a b"},
	{"general quoted", "Foo", []string{`"a ,b \" ,c" ,d`}, `"a ,b \" ,c", d`},
	{"general unbalanced quote", "Foo", []string{`"a `, " b"}, `"a ,  b`},
	{"general empty", "Foo", []string{""}, ""},

	{"coding order", ae, []string{"gzip, deflate, br"}, "br, deflate, gzip"},
	{"coding lines", ae, []string{"zstd", "", "br, gzip"}, "br, gzip, zstd"},
	{"coding empty", ae, []string{" , "}, ""},
	{"coding alias", ae, []string{"X-GZIP, x-compress"}, "compress, gzip"},
	{"coding alias and name", ae, []string{"x-gzip, gzip"}, "gzip"},
	{"coding ranks", ae, []string{"a;q=0.1,b;q=0.9,c;q=0.9,d"}, "d, b;q=0.975, c;q=0.975, a;q=0.95"},
	{"coding lone weight", ae, []string{"gzip;q=0.3"}, "gzip"},
	{"coding excluded stays listed", ae, []string{"*;q=0, gzip, br;q=0.0"}, "gzip, *;q=0, br;q=0"},
	{"coding all excluded", ae, []string{"gzip;q=0"}, "gzip;q=0"},
	{"coding twice alike", ae, []string{"gzip;q=0.5, br, GZIP;q=0.50"}, "br, gzip;q=0.975"},
	{"coding twice unlike", ae, []string{"gzip;q=0, gzip"}, "gzip;q=0, gzip"},
	{"coding unknown kept", ae, []string{"dcz, gzip"}, "dcz, gzip"},
	{"coding rubbish", ae, []string{"GZIP , b r"}, "GZIP, b r"},
	{"coding unknown parameter", ae, []string{"gzip;v=1,br"}, "gzip;v=1, br"},
	{"coding weight too big", ae, []string{"gzip;q=1.001,br"}, "gzip;q=1.001, br"},
	{"coding weight too long", ae, []string{"gzip;q=0.0001,br"}, "gzip;q=0.0001, br"},
	{"coding weight of nothing", ae, []string{";q=1,br"}, ";q=1, br"},
	{"coding weight 1.", ae, []string{"gzip;q=1.,br;q=0."}, "gzip, br;q=0"},
	{"coding two weights", ae, []string{"gzip;q=1;q=0"}, "gzip;q=1;q=0"},
	{"coding list full", ae, full, strings.Join(full, ", ")},
	{"coding list too long", ae, append(full[:maxMembers:maxMembers], "a"), strings.Join(full, ", ") + ", a"},

	{"language order and case", al, []string{"en-GB, de, EN;q=0.5"}, "de, en-gb, en;q=0.975"},
	{"language star", al, []string{"*;q=0.1,de"}, "de, *;q=0.975"},
	{"language excluded stays listed", al, []string{"de, en;q=0"}, "de, en;q=0"},
	{"language is no coding", al, []string{"x-gzip"}, "x-gzip"},
	{"language rubbish", al, []string{"de_AT ,en"}, "de_AT, en"},
	{"language subtag too long", al, []string{"De-abcdefghi"}, "De-abcdefghi"},
	{"language digits first", al, []string{"D1"}, "D1"},
	{"language digits later", al, []string{"es-419"}, "es-419"},
	{"language empty subtag", al, []string{"De--at"}, "De--at"},
	{"language open end", al, []string{"De-"}, "De-"},

	{"cookie", "Cookie", []string{"a=1,2;  b", "c"}, "a=1,2;  b; c"},
	{"authorization", "Authorization", []string{"Basic  x,y"}, "Basic  x,y"},
}

func TestNormal(t *testing.T) {
	for _, c := range normals {
		t.Run(c.name, func(t *testing.T) {
			if got := normal(c.field, c.lines...); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// reading is what a weighted list says, read as plainly as can be: names in
// lower case and the relation of every two weights. It is nil for a list that
// must be taken literally.
func reading(field string, lines []string) map[string]string {
	weights := map[string]float64{}
	for _, item := range strings.Split(strings.Join(lines, ","), ",") {
		name, param, found := strings.Cut(item, ";")
		name = strings.ToLower(strings.Trim(name, " \t"))
		if name == "" && !found {
			continue
		}
		w := 1.0
		if found {
			k, v, ok := strings.Cut(strings.Trim(param, " \t"), "=")
			var err error
			if w, err = strconv.ParseFloat(v, 64); err != nil || !ok || strings.ToLower(k) != "q" || w > 1 || len(v) > 5 || strings.Trim(v, "0123456789.") != "" || v[0] != '0' && v[0] != '1' {
				return nil
			}
			if i := strings.IndexByte(v, '.'); i > 1 || i < 0 && len(v) > 1 {
				return nil
			}
		}
		if field == "Accept-Encoding" && (name == "x-gzip" || name == "x-compress") {
			name = name[2:]
		}
		if old, twice := weights[name]; twice && old != w {
			return nil
		}
		weights[name] = w
	}
	relations := map[string]string{}
	for a, x := range weights {
		relations[a] = strconv.FormatBool(x > 0)
		for b, y := range weights {
			if x > 0 && y > 0 {
				relations[a+" over "+b] = strconv.FormatBool(x > y)
			}
		}
	}
	return relations
}

// checkNormal checks what every normal form promises.
func checkNormal(t failer, field string, lines []string) {
	t.Helper()
	got := normal(field, lines...)
	if again := normal(field, got); again != got {
		t.Fatalf("%s %q: not its own normal form: %q → %q", field, lines, got, again)
	}
	if joined := normal(field, strings.Join(lines, map[bool]string{true: "; ", false: ", "}[field == "Cookie"])); joined != got {
		t.Fatalf("%s %q: %q, joined %q", field, lines, got, joined)
	}
	if len(got) > 2*len(strings.Join(lines, ", "))+8*strings.Count(got, ";") {
		t.Fatalf("%s %q grew to %q", field, lines, got)
	}
	if field != "Accept-Encoding" && field != "Accept-Language" {
		return
	}
	var l weighted
	if !l.parse(field, lines) {
		if l = (weighted{}); l.parse(field, []string{got}) {
			t.Fatalf("%s %q: taken literally, but its normal form %q is not", field, lines, got)
		}
		return
	}
	before, after := reading(field, lines), reading(field, []string{got})
	if before == nil || !mapsEqual(before, after) {
		t.Fatalf("%s %q says %v, normal form %q says %v", field, lines, before, got, after)
	}
	members := strings.Split(strings.Join(lines, ","), ",")
	r := rand.New(rand.NewPCG(uint64(len(got)), 1))
	r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	if shuffled := normal(field, members...); shuffled != got {
		t.Fatalf("%s: %q is %q, shuffled to %q it is %q", field, lines, got, members, shuffled)
	}
}

func mapsEqual(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

func TestNormalProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		field := rapid.SampledFrom([]string{"Accept-Encoding", "Accept-Language"}).Draw(t, "field")
		checkNormal(t, field, rapid.SliceOfN(anyList, 1, 3).Draw(t, "lists"))
		checkNormal(t, "Foo", rapid.SliceOfN(anyValue, 1, 3).Draw(t, "values"))
	})
}

// Two weighted lists have one normal form only if they say the same.
func TestNormalFormsKeepMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const field = "Accept-Encoding"
		a := rapid.SliceOfN(anyList, 1, 2).Draw(t, "a")
		b := rapid.SliceOfN(anyList, 1, 2).Draw(t, "b")
		x, y := reading(field, a), reading(field, b)
		if x == nil || y == nil {
			return
		}
		if mapsEqual(x, y) != (normal(field, a...) == normal(field, b...)) {
			t.Fatalf("%q and %q: normal forms %q and %q", a, b, normal(field, a...), normal(field, b...))
		}
	})
}

func fuzzNormal(f *testing.F, field string, seeds ...string) {
	for _, s := range seeds {
		f.Add(s, "")
		f.Add(s, "br")
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		checkNormal(t, field, []string{one})
		checkNormal(t, field, []string{one, two})
	})
}

func FuzzAcceptEncoding(f *testing.F) {
	fuzzNormal(f, "Accept-Encoding", "gzip, deflate, br, zstd", "gzip;q=0.5, *;q=0", "x-gzip ; Q=1.000", "identity;q=0", ",,", "gzip;q=0, gzip")
}

func FuzzAcceptLanguage(f *testing.F) {
	fuzzNormal(f, "Accept-Language", "de-AT,de;q=0.9,en;q=0.8,*;q=0.1", "es-419", "de_AT", "x-gzip", "*")
}

func FuzzGeneral(f *testing.F) {
	fuzzNormal(f, "Foo", "a ,b", `"a ,b \" ", c`, "a\t b", ",,a,")
}

func TestWeights(t *testing.T) {
	for w := range uint16(1001) {
		text := "0"
		switch {
		case w == 1000:
			text = "1"
		case w > 0:
			text = string(appendWeight(nil, w))
		}
		if got, ok := parseWeight(text); !ok || got != w {
			t.Errorf("%d is written %q and read %d, %v", w, text, got, ok)
		}
	}
	bad := []string{"", ".", ".5", "2", "00", "01", "1.1", "1.001", "0.1234", "0.a", "-0", "0,5", "+1", "1.0000"}
	if i := slices.IndexFunc(bad, func(s string) bool { _, ok := parseWeight(s); return ok }); i >= 0 {
		t.Errorf("%q is read as a weight", bad[i])
	}
}
