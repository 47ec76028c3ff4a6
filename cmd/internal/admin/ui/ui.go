// Package ui is the operator's page: figures that move, routes, the newest
// requests with their reason, what is stored and its purge, and the try-out of
// CORS. It is hand-written HTML, CSS and ES modules, embedded as they are: no
// build step, and nothing is fetched from elsewhere.
//
// The page holds no data and needs no token to be loaded. What it shows it asks
// the JSON API for, with the token that the operator types, which it keeps for
// the life of the tab. Its Content-Security-Policy lets nothing but its own
// files run, and it writes what it shows as text, never as markup: URLs and
// Origin fields are strangers' words.
package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"

	"veneer/cmd/internal/admin"
)

//go:embed page
var embedded embed.FS

// policy is the Content-Security-Policy of the page and its files.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// types are the media types by extension: what the system knows of them
// differs from machine to machine.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

// asset is one file, ready to be sent.
type asset struct {
	contentType string
	etag        string
	content     []byte
}

// Handler returns what serves the page at / and its files below /ui/. A browser
// asks again before it uses what it has, so that page and files are always of
// one version of the program.
func Handler() http.Handler {
	assets := load()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := assets[r.URL.Path]
		if !ok {
			admin.WriteProblem(w, r, http.StatusNotFound, "not-found", "the page has no such file; GET / is the page")
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Content-Type", a.contentType)
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", a.etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.content))
	})
}

// load reads the files by the path that they are served at.
func load() map[string]asset {
	assets := make(map[string]asset)
	entries, err := fs.ReadDir(embedded, "page")
	if err != nil {
		panic(fmt.Errorf("BUG: the page is not embedded: %w", err))
	}
	for _, e := range entries {
		content, err := fs.ReadFile(embedded, "page/"+e.Name())
		if err != nil {
			panic(fmt.Errorf("BUG: %s is not embedded: %w", e.Name(), err))
		}
		contentType, ok := types[path.Ext(e.Name())]
		if !ok {
			panic("BUG: no media type is known for " + e.Name())
		}
		at := "/ui/" + e.Name()
		if e.Name() == "index.html" {
			at = "/"
		}
		sum := sha256.Sum256(content)
		assets[at] = asset{contentType, `"` + hex.EncodeToString(sum[:12]) + `"`, content}
	}
	return assets
}
