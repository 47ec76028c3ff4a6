package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"veneer/corslayer"
)

// CORSPolicy is a named policy. Its Config compiles.
type CORSPolicy struct {
	Name   string
	Config corslayer.Config
	// Shadow is the Name of another policy in own mode, without a shadow of its
	// own, that is tried out beside this one; "" for none.
	Shadow string
}

// RouteCORS says who owns CORS on a route.
type RouteCORS struct {
	// Mode is that of the policy, or ModePass (`cors: pass`, the default), or
	// ModeOff (`cors: off`).
	Mode corslayer.Mode
	// Policy is the Name of a CORSPolicy; "" for pass and off.
	Policy string
}

// NewPolicy compiles the CORS policy of a route of c, with counters of its
// own. c was checked: on a Config that was not, a policy that does not compile
// gives corslayer.Off, which lets nobody in.
func (c *Config) NewPolicy(rt *Route) *corslayer.Policy {
	switch named := c.Policy(rt.CORS.Policy); {
	case rt.CORS.Policy == "" && rt.CORS.Mode == corslayer.ModePass:
		return corslayer.Pass(corslayer.Config{Mode: corslayer.ModePass})
	case named != nil:
		if p, _ := corslayer.Compile(named.Config); p != nil {
			return p
		}
	}
	return corslayer.Off()
}

// ShadowOf returns the configuration of the policy that is tried out beside
// that of a route of c, or nil. c was checked, so it compiles.
func (c *Config) ShadowOf(rt *Route) *corslayer.Config {
	if p := c.Policy(rt.CORS.Policy); p != nil && p.Shadow != "" {
		if shadow := c.Policy(p.Shadow); shadow != nil {
			return &shadow.Config
		}
	}
	return nil
}

// routeCORS reads the word after routes[].cors. Of a named policy the mode is
// found later, when all policies are known.
func routeCORS(word string) RouteCORS {
	switch word {
	case "", "pass":
		return RouteCORS{Mode: corslayer.ModePass}
	case "off":
		return RouteCORS{Mode: corslayer.ModeOff}
	}
	return RouteCORS{Mode: corslayer.ModeOwn, Policy: word}
}

// policies reads the named policies.
func (r *reader) policies(s *section) []CORSPolicy {
	var out []CORSPolicy
	s.each(func(name string, at *yaml.Node, v value) {
		if !s.named(name, at) {
			return
		}
		if name == "pass" || name == "off" {
			s.at(at, name, "is a word of its own in routes[].cors", "another name")
			return
		}
		p := CORSPolicy{Name: name}
		sub := v.section()
		r.policy(sub, &p.Config)
		if v, ok := sub.get("shadow"); ok && !v.null() && !v.is("off") && !v.is("false") {
			p.Shadow, _ = v.text()
		}
		sub.done()
		out = append(out, p)
	})
	return out
}

func (r *reader) policy(s *section, c *corslayer.Config) {
	choice(s, "mode", &c.Mode, option[corslayer.Mode]{"own", corslayer.ModeOwn},
		option[corslayer.Mode]{"pass", corslayer.ModePass}, option[corslayer.Mode]{"off", corslayer.ModeOff})
	s.texts("origins", &c.Origins)
	s.boolean("allow_null", &c.AllowNull)
	s.boolean("dynamic", &c.Dynamic)
	s.boolean("credentials", &c.Credentials)
	s.texts("methods", &c.Methods)
	s.texts("headers", &c.Headers)
	s.texts("expose", &c.Expose)
	s.boolean("media", &c.Media)
	choice(s, "upstream_expose", &c.MergeExpose, option[bool]{"drop", false}, option[bool]{"merge", true})
	if v, ok := s.get("max_age"); ok {
		c.MaxAge = v.maxAge()
	}
	choice(s, "preflight", &c.MinimalPreflight, option[bool]{"full", false}, option[bool]{"minimal", true})
	s.duration("cdn_max_age", &c.CDNMaxAge, 0, year)
	s.boolean("debug", &c.Debug)
	s.boolean("timing_allow_origin", &c.TimingAllowOrigin)
	s.text("resource_policy", &c.ResourcePolicy)
	s.boolean("enforce", &c.Enforce)
	s.texts("public_origins", &c.PublicOrigins)
	choice(s, "vary_fix", &c.VaryFix, option[corslayer.VaryFix]{"auto", corslayer.VaryAuto},
		option[corslayer.VaryFix]{"always", corslayer.VaryAlways}, option[corslayer.VaryFix]{"never", corslayer.VaryNever})
	s.boolean("dangerously_credentialed_null", &c.DangerouslyCredentialedNull)
	s.boolean("dangerously_credentialed_insecure", &c.DangerouslyCredentialedInsecure)
	s.boolean("dangerously_credentialed_public_suffix", &c.DangerouslyCredentialedPublicSuffix)
	if v, ok := s.get("private_network"); ok && !v.is("off") {
		c.PrivateNetwork, _ = v.boolean()
	}
	s.boolean("dangerously_private_network_for_any_origin", &c.DangerouslyPrivateNetworkForAnyOrigin)
}

// maxAge reads a duration, or the bare -1 of Access-Control-Max-Age, which
// turns the browser's preflight cache off. Its bounds are the policy's.
func (v value) maxAge() *time.Duration {
	d := -time.Second
	if !v.is("-1") {
		var ok bool
		if d, ok = v.duration(-year, year); !ok {
			return nil
		}
	}
	return &d
}

// checkPolicies compiles every policy, and gives its problems their place.
func (c *Config) checkPolicies(r *report) {
	seen := map[string]bool{}
	for i := range c.CORS {
		p := &c.CORS[i]
		field := "cors." + p.Name
		if seen[p.Name] {
			r.problem(field, "", "is defined twice", "one policy of a name")
		}
		seen[p.Name] = true
		_, problems := corslayer.Compile(p.Config)
		for _, f := range problems {
			at := field + "." + f.Field
			if f.Index >= 0 {
				at = r.element(at, f.Index)
			}
			// A key that is missing or unreadable has been reported already,
			// and what the compiler then misses is not the author's mistake.
			if !r.clean(field+"."+f.Field) && (f.Index < 0 || f.Value == "") {
				continue
			}
			got := ""
			switch f.Value {
			case "":
			case "[]":
				got = "an empty list"
			default:
				got = quote(f.Value)
			}
			r.add(at, got, f.Why, f.Fix, f.Warning)
		}
	}
	c.checkShadows(r)
	c.checkOwnOrigins(r)
}

// checkShadows: a shadow answers nobody, so that only what Veneer would itself
// answer can be compared, and a shadow of a shadow compares nothing.
func (c *Config) checkShadows(r *report) {
	_, policies := c.names()
	var own []string
	for name, p := range policies {
		if p.Config.Mode == corslayer.ModeOwn && p.Shadow == "" {
			own = append(own, name)
		}
	}
	slices.Sort(own)
	for _, p := range c.CORS {
		if p.Shadow == "" {
			continue
		}
		field := "cors." + p.Name + ".shadow"
		shadow := policies[p.Shadow]
		switch {
		case p.Shadow == p.Name:
			r.problem(field, quote(p.Shadow), "is the policy itself, and would never differ", "another policy")
		case p.Config.Mode != corslayer.ModeOwn:
			r.problem(field, quote(p.Shadow), "stands in a policy that does not answer itself, so there is nothing to compare with", "remove it, or mode: own")
		case shadow == nil && r.has("cors."+p.Shadow):
			// It has a problem of its own.
		case shadow == nil:
			others := slices.DeleteFunc(slices.Clone(own), func(s string) bool { return s == p.Name })
			r.problem(field, quote(p.Shadow), "no CORS policy has this name", oneOf(p.Shadow, others, "define it under cors"))
		case shadow.Config.Mode != corslayer.ModeOwn:
			r.problem(field, quote(p.Shadow), "that policy is in mode "+shadow.Config.Mode.String()+" and decides nothing", "a policy in mode own")
		case shadow.Shadow != "":
			r.problem(field, quote(p.Shadow), "that policy has a shadow itself", "a policy without one")
		}
	}
}

// checkOwnOrigins warns of an origin that all routes of a policy are served
// under: there it needs no CORS. It may be meant, where pages come over http
// or through another port.
func (c *Config) checkOwnOrigins(r *report) {
	hosts := map[string]string{} // by policy; "" when its routes differ or take any host
	for i := range c.Routes {
		rt := &c.Routes[i]
		host, seen := hosts[rt.CORS.Policy]
		if own := strings.ToLower(rt.Host); !seen || host == own {
			hosts[rt.CORS.Policy] = own
		} else {
			hosts[rt.CORS.Policy] = ""
		}
	}
	for _, p := range c.CORS {
		host := hosts[p.Name]
		for i, o := range p.Config.Origins {
			if host != "" && o == "https://"+host {
				r.warn(r.element("cors."+p.Name+".origins", i), quote(o), fmt.Sprintf("every route with this policy is on %s, whose own pages need no CORS", host), "remove it")
			}
		}
	}
}
