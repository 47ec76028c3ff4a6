package scenario

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Origins that the policy names, and one that it sometimes names.
const (
	appOrigin   = "https://app.load.test"
	adminOrigin = "https://admin.load.test"
	lateOrigin  = "https://late.load.test"
)

// listed is what the policy of each scenario lets in.
func listed() []string { return []string{appOrigin, adminOrigin, "https://*.tenant.test"} }

// visitor is who asks: the Origin lines that the request has, and whether the
// policy lets it in. What is expected for it is known from how it was made, and
// not from any parser.
type visitor struct {
	name    string
	lines   []string
	allowed bool
	late    bool // allowed as long as the policy has lateOrigin
}

func nobody() visitor { return visitor{name: "none"} }

func exact(origin string) visitor {
	return visitor{name: "exact", lines: []string{origin}, allowed: true}
}

// tenant is let in by the pattern.
func tenant(n int) visitor {
	return visitor{name: "pattern", lines: []string{fmt.Sprintf("https://t%d.tenant.test", n)}, allowed: true}
}

// stranger is well formed and not let in; some look much like those who are.
func stranger(n int) visitor {
	forms := []string{
		"https://stranger%d.test", "https://app.load.test.evil%d.test", "http://t%d.tenant.test", "https://t%dtenant.test",
		"https://tenant%d.test", "https://app.load.test:%d", "https://x%d.app.load.test", "https://t%d.tenant.test.",
	}
	return visitor{name: "stranger", lines: []string{fmt.Sprintf(forms[n%len(forms)], 1+n%60000)}}
}

func null() visitor { return visitor{name: "null", lines: []string{"null"}} }

// malformed are Origins that no browser sends.
var malformed = [][]string{
	{""}, {"*"}, {appOrigin + "/"}, {"HTTPS://APP.LOAD.TEST"}, {"https://App.load.test"}, {appOrigin + ":443"},
	{appOrigin + ", " + adminOrigin}, {appOrigin + " " + adminOrigin}, {appOrigin, adminOrigin}, {appOrigin, appOrigin},
	{"https://user@app.load.test"}, {"app.load.test"}, {"https://app.load.test?x"},
	{"https://" + strings.Repeat("a", 400) + ".tenant.test"}, {"https://*.tenant.test"}, {"null, " + appOrigin}, {"Null"},
}

func bad(n int) visitor { return visitor{name: "bad", lines: malformed[n%len(malformed)]} }

func later() visitor {
	return visitor{name: "late", lines: []string{lateOrigin}, late: true}
}

// anyVisitor is one of a mixed public.
func anyVisitor(random *rand.Rand) visitor {
	switch n := random.IntN(20); {
	case n < 6:
		return nobody()
	case n < 12:
		return exact(appOrigin)
	case n < 15:
		return exact(adminOrigin)
	case n < 17:
		return stranger(random.IntN(3))
	case n < 18:
		return null()
	default:
		return bad(random.IntN(len(malformed)))
	}
}

// origin is its Origin as the upstream would write it down.
func (v visitor) origin() string { return strings.Join(v.lines, "|") }

// first is what an application that reads one line gets.
func (v visitor) first() string {
	if len(v.lines) == 0 {
		return ""
	}
	return v.lines[0]
}
