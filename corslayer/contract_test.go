package corslayer

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// contract is every case that this package answers for, in the words of the
// contract. A row of the list of cases shows it: its name begins with the case,
// perhaps after other cases.
var contract = []string{
	"C1", "C3", "C4", "C5", "K2", "K3", "K4", "K5", "S", "Emit", "E1", "E2", "E3", "E4", "E6",
	"P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "A1", "A2", "A3", "A4", "A5",

	// "Policy is compiled", refusal by refusal.
	"no origin", "* with credentials", "null in a list", "file:", "userinfo", "path", "query", "fragment", "trailing slash",
	"upper case", "non-ASCII host", "empty label", "misplaced wildcard", "double wildcard", "wildcard on an IP", "bad port", "default port",
	"insecure with credentials", "public suffix with credentials", "https://* with credentials",
	"forbidden method", "forbidden header", "CORS request name among response headers", "CORS response name among request headers",
	"Expose * with credentials", "unreachable", "own origin", "two authorities",

	"dangerously_credentialed_null", "dangerously_credentialed_insecure", "dangerously_credentialed_public_suffix",
	"dangerously_private_network_for_any_origin",

	"shadow: lets in more", "shadow: lets in fewer", "shadow: exposes another field", "shadow: preflight, another method",
	"counters: none", "counters: allowed", "counters: refused", "counters: null", "counters: bad", "counters: preflight_ok",
	"counters: preflight_refused_origin", "counters: preflight_refused_method", "counters: preflight_refused_header",
}

// elsewhere are the cases that show only below this package (what an origin
// is, what matches) or above it (the engine with a policy in it).
var elsewhere = map[string]string{
	"C2 grammar":            "origin/origin_test.go TestC2Parse",
	"C2 relation":           "origin/grammar_test.go FuzzParseAgreesWithTheGrammar",
	"proposals, relation":   "origin/grammar_test.go FuzzMend",
	"patterns":              "origin/pattern_test.go TestPatternMatch",
	"patterns, relation":    "origin/relations_test.go FuzzPatternGrammar",
	"fast set, relation":    "origin/set_test.go TestSetAgreesWithRules",
	"K1 buckets":            "policy_test.go TestK1BucketsAreNoOrigins",
	"K1 key":                "../cache/key/frame_test.go TestDistinctRequestsHaveDistinctKeys",
	"K2 K3 entries":         "../cmd/internal/app/corscases_test.go TestK2K3Entries",
	"K4 cap":                "../cmd/internal/app/corscases_test.go TestK4Cap",
	"K4 bad":                "../cmd/internal/app/corscases_test.go TestK4BadOrigin",
	"K5 background":         "../cmd/internal/app/corscases_test.go TestK5BackgroundFetch",
	"K6":                    "../cmd/internal/app/corscases_test.go TestK6PolicyByRouteAlone",
	"E5":                    "../cmd/internal/app/corscases_test.go TestE5BeforeTheFirstByte",
	"E5 upgrade":            "../cmd/internal/app/corscases_test.go TestE5UpgradeUntouched",
	"E7":                    "../cmd/internal/app/corscases_test.go TestE7NotModifiedNamesTheOriginAtHand",
	"E8":                    "../cmd/internal/app/corscases_test.go TestE8NoNotModifiedToTheRefused",
	"E9":                    "../cmd/internal/app/errors_test.go TestE9OwnErrors",
	"E10":                   "../cmd/internal/app/corscases_test.go TestE10PreflightIsAnsweredHere",
	"E11":                   "../cmd/internal/app/origins_test.go TestCollapsedMissOfSeveralOrigins",
	"P2 debug":              "../cmd/internal/app/corswatch_test.go TestP2DebugSaysWhy",
	"A1 through the engine": "../cmd/internal/app/corscases_test.go TestA1PreflightGoesThrough",
	"A2 through the engine": "../cmd/internal/app/corscases_test.go TestA2SameOriginOnly",
	"A6":                    "../cmd/internal/app/corscases_test.go TestA6FreshensItsOwnVariant",
	"two routes, one path":  "../cmd/internal/app/corscases_test.go TestOneAuthorityARoute",
	"shadow, counted":       "../cmd/internal/app/corswatch_test.go TestShadow",
	"file, line and column": "../cmd/internal/config/config_test.go TestBad",
	"no allocation":         "alloc_test.go TestActualRequestDoesNotAllocate",
	"list's length":         "speed_test.go TestTimeDoesNotDependOnTheList",
	"hostile field":         "speed_test.go TestHostileHeadersCostNoMore",
	"the browser agrees":    "relations_test.go FuzzBrowserAgrees",
	"nothing reflected":     "relations_test.go FuzzNothingReflected",
	"Compile and Config":    "relations_test.go FuzzConfigCompiles",
}

// caseNames are the names of all rows of the list of cases.
func caseNames() []string {
	var names []string
	for _, c := range decideCases {
		names = append(names, c.name)
	}
	for _, c := range applyCases {
		names = append(names, c.name)
	}
	for _, c := range stripCases {
		names = append(names, c.name)
	}
	for _, c := range stripVaryCases {
		names = append(names, c.name)
	}
	for _, c := range preflightCases {
		names = append(names, c.name)
	}
	for _, c := range passCases {
		names = append(names, c.name)
	}
	for _, c := range refusals {
		names = append(names, c.name)
	}
	for _, c := range dangerous {
		names = append(names, c.name)
	}
	for _, c := range shadowCases {
		names = append(names, c.name)
	}
	for _, c := range countCases {
		names = append(names, c.name)
	}
	return names
}

var caseNumber = regexp.MustCompile(`^(?:[CKEPA][0-9]+|S|Emit) `)

// shows reports whether a row is one of that case.
func shows(name, wanted string) bool {
	for {
		if rest, ok := strings.CutPrefix(name, wanted); ok && (rest == "" || rest[0] == ' ' || rest[0] == ',') {
			return true
		}
		number := caseNumber.FindString(name)
		if number == "" {
			return false
		}
		name = name[len(number):]
	}
}

// Every case of the contract has a test, and a row's name is its own.
func TestContract(t *testing.T) {
	names := caseNames()
	for _, wanted := range contract {
		found := false
		for _, name := range names {
			found = found || shows(name, wanted)
		}
		if !found {
			t.Errorf("no row shows %q", wanted)
		}
	}
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			t.Errorf("two rows are named %q", name)
		}
		seen[name] = true
	}
	for what, where := range elsewhere {
		file, test, _ := strings.Cut(where, " ")
		if src, err := os.ReadFile(file); err != nil || !strings.Contains(string(src), "\nfunc "+test) {
			t.Errorf("%s: there is no %s in %s (%v)", what, test, file, err)
		}
	}
}
