package app

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"veneer/cache"
	"veneer/cache/key"
	"veneer/cmd/internal/admin"
)

// maxObjects is how many target URIs an answer of GET /api/objects has at the
// most, and, nearly, how many responses.
const maxObjects = 1000

// objectJSON is one stored response. Its URL is whole: that is what a purge
// takes. Its query may hold a secret, and who sees it has the admin token.
type objectJSON struct {
	URL    string      `json:"url"`
	Method string      `json:"method"`
	Origin string      `json:"origin"`
	Vary   [][2]string `json:"vary,omitempty"`
	Status int         `json:"status"`
	Bytes  int64       `json:"bytes"`
	Type   string      `json:"type"`
	Age    int64       `json:"age_s"`
	TTL    int64       `json:"ttl_s"`
	Purged bool        `json:"purged"`
	Tags   []string    `json:"tags,omitempty"`
}

// serveObjects is GET /api/objects: what is stored, in the order of the URLs.
func (a *App) serveObjects(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	bad := func(why string) { admin.WriteProblem(w, r, http.StatusBadRequest, "bad-question", why) }
	limit, ok := limitOf(r, 100, maxObjects)
	if !ok {
		bad("limit is a number from 1 to " + strconv.Itoa(maxObjects))
		return
	}
	after, err := base64.RawURLEncoding.DecodeString(q.Get("after"))
	if err != nil {
		bad("after is not what the member next of an answer was; leave it out to begin anew")
		return
	}
	var prefix *key.Prefix
	if text := q.Get("prefix"); text != "" {
		p, err := prefixOf(text)
		if err != nil {
			bad(strings.Replace(err.Error(), "cannot purge:", "cannot list:", 1))
			return
		}
		prefix = &p
	}
	objs, next := a.store.List(prefix, string(after), limit)
	now := time.Now()
	list := make([]objectJSON, 0, len(objs))
	for _, o := range objs {
		list = append(list, objectOf(o, now))
	}
	answer(w, struct {
		Objects []objectJSON `json:"objects"`
		Next    string       `json:"next"`
		Total   int          `json:"total"`
	}{list, base64.RawURLEncoding.EncodeToString([]byte(next)), a.store.Stats().Objects})
}

func objectOf(o *cache.Object, now time.Time) objectJSON {
	parts, _ := key.Parse([]byte(o.Key())) // the engine built it
	_, purged := o.PurgedAt()
	j := objectJSON{
		URL: parts.Target.String(), Method: parts.Method, Origin: parts.Bucket, Status: o.Status, Bytes: int64(len(o.Body())),
		Type: o.Get("Content-Type"), Age: wholeSeconds(o.Age(now)), TTL: wholeSeconds(o.TTL(now)), Purged: purged, Tags: slices.Clone(o.Tags),
	}
	for i, name := range o.Selecting.Names {
		value := o.Selecting.Values[i]
		switch {
		case value == key.Absent:
			value = "(absent)"
		case key.Secret(name):
			value = "(hidden)"
		}
		j.Vary = append(j.Vary, [2]string{name, value})
	}
	return j
}

// wholeSeconds rounds down, as Cache-Status does: what is stale has none left.
func wholeSeconds(d time.Duration) int64 {
	n := int64(d / time.Second)
	if d%time.Second < 0 {
		n--
	}
	return n
}
