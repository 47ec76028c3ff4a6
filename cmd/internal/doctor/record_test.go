package doctor

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	originA = "https://app.example.com"
	originB = "https://partner.example.com"
)

// goodRecord is what a server says that does everything right: name, method,
// Origin (or -) and status in the first line, then the fields.
const goodRecord = `
plain GET A 200
Access-Control-Allow-Origin: A
Vary: Origin

first-a GET A 200
Access-Control-Allow-Origin: A
Vary: Origin
ETag: "1"

again-a GET A 200
Access-Control-Allow-Origin: A
Vary: Accept-Encoding, Origin
Age: 1

then-b GET B 200
Access-Control-Allow-Origin: B
Vary: Origin

revalidate GET B 304
Access-Control-Allow-Origin: B
Vary: Origin

head HEAD A 200
Access-Control-Allow-Origin: A
Vary: Origin

none-first GET - 200
Vary: Origin

none-then-a GET A 200
Access-Control-Allow-Origin: A
Vary: Origin

stranger-first GET https://veneer-doctor.invalid 200
Vary: Origin

stranger-then-a GET A 200
Access-Control-Allow-Origin: A
Vary: Origin

null GET null 200
Vary: Origin

suffixed GET https://app.example.com.evil.invalid 200
Vary: Origin

prefixed GET https://evilapp.example.com 200
Vary: Origin

dotless GET https://appxexample.com 200
Vary: Origin

insecure GET http://app.example.com 200
Vary: Origin

other-port GET https://app.example.com:8443 200
Vary: Origin

preflight-a OPTIONS A 204
Access-Control-Allow-Origin: A
Access-Control-Allow-Methods: GET, PUT
Access-Control-Allow-Headers: Content-Type, Authorization
Access-Control-Max-Age: 7200

preflight-b OPTIONS B 204
Access-Control-Allow-Origin: B

preflight-capitals OPTIONS A 204
Access-Control-Allow-Origin: A

preflight-stranger OPTIONS https://veneer-doctor.invalid 403

options OPTIONS A 204
Allow: GET, PUT

error-path GET A 404
Access-Control-Allow-Origin: A
Vary: Origin

error-method QUERY A 405
Access-Control-Allow-Origin: A
Vary: Origin

slash GET A 301
Access-Control-Allow-Origin: A
Vary: Origin
Location: /users/

follow GET A 200
Access-Control-Allow-Origin: A
Vary: Origin
`

// parseRecord reads exchanges in the form of goodRecord. An exchange without a
// status was not sent.
func parseRecord(t *testing.T, text string) (names []string, all map[string]*Exchange) {
	t.Helper()
	all = make(map[string]*Exchange)
	text = strings.NewReplacer(": A\n", ": "+originA+"\n", ": B\n", ": "+originB+"\n").Replace(text + "\n")
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		lines := strings.Split(strings.TrimSpace(block), "\n")
		head := strings.Fields(lines[0])
		names = append(names, head[0])
		if len(head) == 1 {
			all[head[0]] = nil
			continue
		}
		x := &Exchange{Name: head[0], About: head[0], Method: head[1], URL: "https://api.example.com/users"}
		switch head[2] {
		case "-":
		case "A":
			x.Sent = []Field{{fieldOrigin, originA}}
		case "B":
			x.Sent = []Field{{fieldOrigin, originB}}
		default:
			x.Sent = []Field{{fieldOrigin, head[2]}}
		}
		if strings.HasPrefix(x.Name, "preflight") {
			x.Sent = append(x.Sent, Field{fieldRequestMethod, "PUT"})
		}
		var err error
		if x.Status, err = strconv.Atoi(head[3]); err != nil {
			x.Error = strings.Join(head[3:], " ")
		}
		for _, line := range lines[1:] {
			name, value, ok := strings.Cut(line, ": ")
			if !ok {
				t.Fatalf("what is %q?", line)
			}
			x.Received = append(x.Received, Field{name, value})
		}
		all[x.Name] = x
	}
	return names, all
}

// testRun is goodRecord with other exchanges instead of those of their names.
func testRun(t *testing.T, o Options, edit string) *run {
	t.Helper()
	o.URL = "https://api.example.com/users"
	if o.Origins == nil {
		o.Origins = []string{originA, originB}
	}
	if o.Method == "" {
		o.Method, o.Headers = "PUT", []string{"Content-Type", "Authorization"}
	}
	s, err := o.compile()
	if err != nil {
		t.Fatal(err)
	}
	r := &run{s: s, unique: !o.NoCacheBuster, locations: make(map[*Exchange]string)}
	names, record := parseRecord(t, goodRecord)
	if edit != "" {
		more, edited := parseRecord(t, edit)
		maps.Copy(record, edited)
		for _, name := range more {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		if x := record[name]; x != nil {
			r.exchanges = append(r.exchanges, x)
			r.locations[x] = x.value(fieldLocation)
		}
	}
	return r
}

// recordCase is one record and everything that is found in it: severity and
// id, the worst first. title is the first finding's.
type recordCase struct {
	name    string
	options Options
	edit    string
	want    []string
	title   string
	// unknown are the checks that are not decided.
	unknown []string
}

func findings(rep *Report) []string {
	var all []string
	for _, f := range rep.Findings {
		all = append(all, string(f.Severity)+" "+f.ID)
	}
	return all
}

func undecidedChecks(rep *Report) []string {
	var all []string
	for _, c := range rep.Checks {
		if c.Result == undecidedResult {
			all = append(all, c.ID)
		}
	}
	return all
}

func TestChecks(t *testing.T) {
	caught := make(map[string]bool)
	for _, c := range slices.Concat(originCases, cacheCases, pathCases, preflightCases, trustCases) {
		t.Run(c.name, func(t *testing.T) {
			rep := testRun(t, c.options, c.edit).report()
			if diff := cmp.Diff(c.want, findings(rep)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, f := range rep.Findings {
				caught[f.ID] = true
				if f.Title == "" || f.Why == "" || f.Fix == "" || len(f.Evidence) == 0 {
					t.Errorf("not complete: %+v", f)
				}
				if f.ID == strings.TrimPrefix(c.want[0], string(f.Severity)+" ") && f.Title != c.title {
					t.Errorf("title %q, want %q", f.Title, c.title)
				}
			}
			if diff := cmp.Diff(c.unknown, undecidedChecks(rep)); diff != "" {
				t.Errorf("not decided (-want +got):\n%s", diff)
			}
			faulty := len(c.want) > 0 && strings.HasPrefix(c.want[0], "fault")
			if known := c.unknown == nil; rep.Known != known || rep.Good != (known && !faulty) {
				t.Errorf("known %v, good %v", rep.Known, rep.Good)
			}
		})
	}
	for _, c := range checks {
		if !caught[c.id] {
			t.Errorf("no case is caught by %s", c.id)
		}
	}
}

// TestChecksAloneDoNotPanic puts every question to records of which one or all
// but one exchange is missing or was not answered.
func TestChecksAloneDoNotPanic(t *testing.T) {
	names, _ := parseRecord(t, goodRecord)
	for _, name := range names {
		r := testRun(t, Options{}, name)
		r.report()
		r = testRun(t, Options{}, name+" GET A refused")
		if got := findings(r.report()); !slices.Contains(got, "warning answers") {
			t.Errorf("%s has no answer: found %q", name, got)
		}
		r.exchanges = slices.DeleteFunc(r.exchanges, func(x *Exchange) bool { return x.Name != name })
		r.report()
	}
}

func TestTarget(t *testing.T) {
	for _, c := range []struct{ location, want string }{
		{"/users/", "https://api.example.com/users/"},
		{"//other.example.com/x#y", "https://other.example.com/x"},
		{"?page=2", "https://api.example.com/users?page=2"},
		{"", ""},
		{":", ""},
	} {
		r := testRun(t, Options{}, "slash GET A 301")
		x := r.get(probeSlash)
		r.locations[x] = c.location
		var got string
		if u := r.target(x); u != (*url.URL)(nil) {
			got = u.String()
		}
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.location, got, c.want)
		}
	}
}
