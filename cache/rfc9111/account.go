package rfc9111

import "time"

// Account is what the freshness of a response is computed from, for people who
// want to know why (RFC 9111 §4.2). Assess computes the same numbers.
type Account struct {
	Directives Directives // those in force
	Meta       Meta       // what reuse goes by, whether or not the response may be stored
	Source     Source     // of Meta.Lifetime

	// The age on arrival (§4.2.3): the greater of Apparent, and AgeValue plus
	// Delay, is Meta.InitialAge. Apparent may be negative.
	Apparent, AgeValue, Delay time.Duration
}

// NewAccount accounts for a response as Assess looks at it.
func NewAccount(r *Response, p *Policy) Account {
	a := Account{Directives: ParseResponse(r.Header, p.Targets)}
	a.Meta = newMeta(r, &a.Directives, p)
	_, a.Source = a.Directives.lifetime(r, &a.Meta, p)
	a.Apparent, a.AgeValue, a.Delay = ages(&a.Meta, r.Header["Age"])
	return a
}
