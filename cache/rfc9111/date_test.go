package rfc9111

import (
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// dateCases are shared by the table and the fuzz test. The dates that are
// refused are the ones that an Expires must not get away with.
var dateCases = []struct {
	name, text string
	want       string // RFC 3339; "" is refused
}{
	{"IMF-fixdate", "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"},
	{"RFC 850", "Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z"},
	{"asctime", "Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37Z"},
	{"asctime, two digits", "Thu Nov 16 08:49:37 1994", "1994-11-16T08:49:37Z"},
	{"asctime, zero padded", "Thu Nov 06 08:49:37 1994", "1994-11-06T08:49:37Z"},
	{"past 32 bits", "Sun, 21 Nov 2286 04:46:39 GMT", "2286-11-21T04:46:39Z"},
	{"case of the day", "THU, 18 Aug 2050 02:01:18 GMT", "2050-08-18T02:01:18Z"},
	{"case of the month", "Thu, 18 AUG 2050 02:01:18 GMT", "2050-08-18T02:01:18Z"},
	{"case of the zone", "Thu, 18 Aug 2050 02:01:18 gMT", "2050-08-18T02:01:18Z"},
	{"wrong day of the week", "Mon, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"},
	{"leap second", "Sat, 31 Dec 2016 23:59:60 GMT", "2017-01-01T00:00:00Z"},
	{"leap day", "Thu, 29 Feb 2024 00:00:00 GMT", "2024-02-29T00:00:00Z"},
	{"two digits, within 50 years", "Thursday, 18-Aug-50 02:01:18 GMT", "2050-08-18T02:01:18Z"},
	{"two digits, 50 years", "Sunday, 22-Nov-76 00:00:00 GMT", "2076-11-22T00:00:00Z"},
	{"two digits, more than 50 years", "Sunday, 24-Nov-76 00:00:00 GMT", "1976-11-24T00:00:00Z"},
	{"two digits, leap day", "Tuesday, 29-Feb-00 00:00:00 GMT", "2000-02-29T00:00:00Z"},
	{"empty", "", ""},
	{"zero", "0", ""},
	{"minus one", "-1", ""},
	{"UTC", "Thu, 18 Aug 2050 02:01:18 UTC", ""},
	{"other zone", "Thu, 18 Aug 2050 02:01:18 AEST", ""},
	{"no zone", "Thu, 18 Aug 2050 02:01:18", ""},
	{"two-digit year", "Thu, 18 Aug 50 02:01:18 GMT", ""},
	{"no comma", "Thu 18 Aug 2050 02:01:18 GMT", ""},
	{"doubled spaces", "Thu, 18  Aug  2050 02:01:18 GMT", ""},
	{"dashes", "Thu, 18-Aug-2050 02:01:18 GMT", ""},
	{"periods", "Thu, 18 Aug 2050 02.01.18 GMT", ""},
	{"one-digit hour", "Thu, 18 Aug 2050 2:01:18 GMT", ""},
	{"one-digit day", "Thu, 8 Aug 2050 02:01:18 GMT", ""},
	{"sign in the hour", "Thu, 18 Aug 2050 +2:01:18 GMT", ""},
	{"hour 24", "Thu, 18 Aug 2050 24:00:00 GMT", ""},
	{"minute 60", "Thu, 18 Aug 2050 00:60:00 GMT", ""},
	{"second 61", "Thu, 18 Aug 2050 00:00:61 GMT", ""},
	{"31 June", "Fri, 31 Jun 2050 00:00:00 GMT", ""},
	{"29 February of no leap year", "Wed, 29 Feb 2023 00:00:00 GMT", ""},
	{"day 00", "Thu, 00 Aug 2050 02:01:18 GMT", ""},
	{"no such month", "Thu, 18 Agu 2050 02:01:18 GMT", ""},
	{"no such day", "Xyz, 18 Aug 2050 02:01:18 GMT", ""},
	{"short day in RFC 850", "Thu, 18-Aug-50 02:01:18 GMT", ""},
	{"trailing text", "Thu, 18 Aug 2050 02:01:18 GMT;x", ""},
	{"list", "Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:18 GMT", ""},
}

// epoch is the time of the tests.
var epoch = time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)

func TestParseDate(t *testing.T) {
	for _, c := range dateCases {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if d, ok := ParseDate(c.text, epoch); ok {
				got = d.Format(time.RFC3339)
			}
			if got != c.want {
				t.Errorf("ParseDate(%q) = %q, want %q", c.text, got, c.want)
			}
		})
	}
}

// What the standard library writes in any of the three forms is read back.
func TestParseDateRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := time.Unix(rapid.Int64Range(0, 4102444800).Draw(t, "unix"), 0).UTC()
		now := want.AddDate(0, 0, rapid.IntRange(-49*365, 49*365).Draw(t, "days to now"))
		for _, layout := range []string{http.TimeFormat, "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC} {
			got, ok := ParseDate(want.Format(layout), now)
			if !ok || !got.Equal(want) {
				t.Fatalf("ParseDate(%q) = %v, %t", want.Format(layout), got, ok)
			}
		}
	})
}

func TestParseAge(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  time.Duration
	}{
		{"absent", nil, 0},
		{"plain", []string{"30"}, 30 * time.Second},
		{"leading zeros", []string{"0030"}, 30 * time.Second},
		{"first of a list", []string{"7200, 0"}, 7200 * time.Second},
		{"first of a list, young", []string{"0, 7200"}, 0},
		{"first of two lines", []string{"7200", "0"}, 7200 * time.Second},
		{"first of two lines, young", []string{"0", "7200"}, 0},
		{"text", []string{"abc"}, 0},
		{"empty", []string{""}, 0},
		{"negative", []string{"-7200"}, 0},
		{"fraction", []string{"7200.0"}, 0},
		{"parameter", []string{"7200;foo=bar"}, 0},
		{"2^31-1", []string{"2147483647"}, maxDelta * time.Second},
		{"2^31", []string{"2147483648"}, maxDelta * time.Second},
		{"past 64 bits", []string{"99999999999999999999999"}, maxDelta * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := parseAge(c.lines); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestDelta(t *testing.T) {
	for _, c := range []struct {
		name    string
		delta   Delta
		present bool
		want    time.Duration
	}{
		{"zero value", 0, false, 0},
		{"zero seconds", Seconds(0), true, 0},
		{"a minute", Seconds(60), true, time.Minute},
		{"negative", Seconds(-5), true, 0},
		{"too large", Seconds(1 << 40), true, maxDelta * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.delta.Present() != c.present || c.delta.Duration() != c.want {
				t.Errorf("got %t %v, want %t %v", c.delta.Present(), c.delta.Duration(), c.present, c.want)
			}
		})
	}
}

func FuzzParseDate(f *testing.F) {
	for _, c := range dateCases {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseDate(s, epoch)
		if !ok {
			return
		}
		// Stricter than the standard library, never laxer, but for a leap
		// second and the name of the zone or day, and never another date.
		if again, ok := ParseDate(formatDate(got), epoch); !ok || !again.Equal(got) {
			t.Errorf("%q is %v, which reads back as %v", s, got, again)
		}
		if got.After(epoch.AddDate(50, 0, 0)) && len(s) != 24 && len(s) != 29 {
			t.Errorf("%q: two-digit year more than 50 years ahead: %v", s, got)
		}
	})
}
