package faulty

import (
	"net/http"
	"slices"
)

// App is how an application deals with CORS, or mistakes it.
type App string

// The applications. All but Silent answer with credentials allowed.
const (
	Silent  App = ""
	Star    App = "star"    // * for all
	Echo    App = "echo"    // what came is sent back, without Vary: the common mistake
	Late    App = "late"    // so too, and Vary: Origin only when one came
	Listed  App = "listed"  // only listed origins are answered, and only then with Vary
	Double  App = "double"  // two ACAO lines that contradict each other
	Wrong   App = "wrong"   // always some other site's
	Trailer App = "trailer" // a second time in the trailers
)

// Apps are all of them; Passable those whose answer for one origin is one
// thing, so that a cache that keeps origins apart can store it.
var (
	Apps     = []App{Silent, Star, Echo, Late, Listed, Double, Wrong, Trailer}
	Passable = []App{Silent, Star, Echo, Late, Listed}
)

// listed are the origins that the application called Listed knows.
var listed = []string{"https://app.load.test", "https://admin.load.test"}

const elsewhere = "https://elsewhere.test"

// Allow returns the Access-Control-Allow-Origin lines that it sends to a
// request whose Origin is the one given, "" for none.
func (a App) Allow(origin string) []string {
	switch a {
	case Star:
		return []string{"*"}
	case Double:
		return []string{"*", elsewhere}
	case Wrong:
		return []string{elsewhere}
	case Echo, Late, Trailer:
		if origin != "" {
			return []string{origin}
		}
	case Listed:
		if slices.Contains(listed, origin) {
			return []string{origin}
		}
	}
	return nil
}

// answer puts its fields on a response; trailers are announced.
func (a App) answer(h http.Header, origin string) {
	allow := a.Allow(origin)
	if len(allow) > 0 {
		h["Access-Control-Allow-Origin"] = allow
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Expose-Headers", "X-Application")
	}
	if origin != "" && (a == Late || a == Listed && len(allow) > 0) {
		h.Set("Vary", "Origin")
	}
	if a == Trailer {
		h.Set("Trailer", "Access-Control-Allow-Origin")
	}
}
