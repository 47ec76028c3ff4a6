package cli

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"veneer/cmd/internal/doctor"
)

// TestDoctorExits: every exit code, and what is printed where.
func TestDoctorExits(t *testing.T) {
	const origin = "https://app.example.com"
	public := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}))
	defer public.Close()
	private := httptest.NewServer(http.NotFoundHandler())
	defer private.Close()
	dead := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer dead.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, c := range []struct {
		args           []string
		code           int
		stdout, stderr string // parts; "" is nothing at all
	}{
		{[]string{public.URL, "--origin", origin}, exitGood, "\nverdict: good, 1 note\n", ""},
		{[]string{public.URL, "--origin", origin, "--json"}, exitGood, `"good": true`, ""},
		{[]string{private.URL, "--origin", origin}, exitFinding, "\nFAULT no-acao: A gets no", ""},
		{[]string{private.URL, "--origin", origin, "--json"}, exitFinding, `"good": false`, ""},
		{[]string{dead.URL, "--origin", origin}, exitFinding, "\nverdict: not known, ", ""},
		{[]string{dead.URL, "--origin", origin, "--json"}, exitFinding, `"known": false`, ""},
		{[]string{public.URL}, exitUsage, "", `veneer: cannot use --origin "": there is none`},
		{[]string{public.URL, "--origin", origin, "--header", "Authorization: secret"}, exitUsage, "", `cannot use --header "Authorization: …"`},
		{[]string{gone.URL, "--origin", origin}, exitReach, "", "veneer: cannot reach " + gone.URL + "/: "},
	} {
		code, stdout, stderr := call(t, append([]string{"doctor"}, c.args...)...)
		if code != c.code {
			t.Errorf("%q: got %d, want %d", c.args, code, c.code)
		}
		for _, out := range []struct{ got, want string }{{stdout, c.stdout}, {stderr, c.stderr}} {
			if !strings.Contains(out.got, out.want) || out.want == "" && out.got != "" {
				t.Errorf("%q: no %q in %q", c.args, out.want, out.got)
			}
		}
		if strings.Contains(stdout+stderr, "\x1b") || strings.Contains(stdout+stderr, "secret") {
			t.Errorf("%q: a colour or a secret: %q %q", c.args, stdout, stderr)
		}
	}
}

func TestDoctorCannotPrint(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	var stderr bytes.Buffer
	code := Main(t.Context(), []string{"doctor", server.URL, "--origin", "https://a.example"}, brokenWriter{}, &stderr)
	if want := "veneer: cannot print: broken\n"; code != exitFinding || stderr.String() != want {
		t.Errorf("got %d, %q; want %q", code, stderr.String(), want)
	}
}

// Whatever kept the doctor from the server, the code is 3.
func TestDoctorUnreachable(t *testing.T) {
	for _, cause := range []error{&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused")}, context.DeadlineExceeded} {
		if code := exitCode(&doctor.UnreachableError{URL: "http://a/", Err: cause}); code != exitReach {
			t.Errorf("%v: got %d", cause, code)
		}
	}
}

func TestSeverityColours(t *testing.T) {
	for severity, want := range map[doctor.Severity]string{doctor.Fault: red, doctor.Warning: yellow, "": green} {
		if got := severityColour(severity); got != want {
			t.Errorf("%q: got %q", severity, got)
		}
	}
}
