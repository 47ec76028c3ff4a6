package browser

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"strings"
	"testing"
)

// at puts a path into a script.
func at(path, script string) string { return strings.ReplaceAll(script, "PATH", path) }

// The ways of HTML to load a resource with CORS, and to tell what came of it.
const (
	loadImage = `new Promise(resolve => {
	const image = new Image();
	image.crossOrigin = "anonymous";
	image.onerror = () => resolve("error");
	image.onload = () => {
		const canvas = document.createElement("canvas").getContext("2d");
		canvas.drawImage(image, 0, 0);
		try { canvas.getImageData(0, 0, 1, 1); resolve("readable"); } catch (e) { resolve(e.name); }
	};
	image.src = "{P}/PATH";
})`
	loadScript = `new Promise(resolve => {
	const script = document.createElement("script");
	script.crossOrigin = "anonymous";
	script.onerror = () => resolve("not loaded");
	addEventListener("error", e => resolve(e.message), {once: true});
	script.src = "{P}/PATH";
	document.head.append(script);
})`
	loadModule = `import("{P}/PATH").then(m => m.told, e => e.name)`
	loadStyle  = `new Promise(resolve => {
	const link = document.createElement("link");
	link.rel = "stylesheet";
	link.crossOrigin = "anonymous";
	link.onerror = () => resolve("error");
	link.onload = () => { try { resolve(link.sheet.cssRules[0].cssText); } catch (e) { resolve(e.name); } };
	link.href = "{P}/PATH";
	document.head.append(link);
})`
	// The font is none, so what tells is whether the browser got as far as
	// finding that out: the message of the parser is in the console, and the
	// transfer is among the performance entries with a size.
	loadFont = `new FontFace("f", "url({P}/PATH)").load().catch(() => {
	const [entry] = performance.getEntriesByName("{P}/PATH");
	return entry.responseStatus + " " + entry.decodedBodySize;
})`
)

// without makes the same load without CORS.
func without(script string) string {
	for _, line := range []string{`image.crossOrigin = "anonymous";`, `script.crossOrigin = "anonymous";`, `link.crossOrigin = "anonymous";`} {
		script = strings.ReplaceAll(script, line, "")
	}
	return script
}

func TestBrowserElements(t *testing.T) {
	s := set(t, readConfig)
	var dot bytes.Buffer
	if err := png.Encode(&dot, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	serveAs := func(kind, content string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Cache-Control", "max-age=60")
			fmt.Fprint(w, content)
		}
	}
	s.app.special["image"] = serveAs("image/png", dot.String())
	s.app.special["script"] = serveAs("text/javascript", `throw new Error("told")`)
	s.app.special["module"] = serveAs("text/javascript", `export const told = "told"`)
	s.app.special["style"] = serveAs("text/css", `p { color: red; }`)
	s.app.special["font"] = serveAs("font/ttf", "no font")

	const image, script, module, style, font = "list/i?do=image", "list/s?do=script", "list/m?do=module", "list/c?do=style", "timing/f?do=font"
	s.play(t, []trial{
		{
			name: "img crossorigin",
			steps: []step{
				{at: "A", js: at(image, loadImage), want: "readable"},
				{at: "B", js: at(image, loadImage), want: "readable"},
				{at: "C", js: at(image, loadImage), want: "error"},
				{at: "C", js: at(image, without(loadImage)), want: "SecurityError"},
			},
			calls: []string{"GET /list/i A", "GET /list/i B", "GET /list/i -", "GET /list/i -"},
		},
		{
			name: "img without crossorigin, then with",
			steps: []step{
				{at: "A", js: at("list/i2?do=image", without(loadImage)), want: "SecurityError"},
				{at: "A", js: at("list/i2?do=image", loadImage), want: "readable"},
			},
			calls: []string{"GET /list/i2 -", "GET /list/i2 A"},
		},
		{
			name: "script crossorigin",
			steps: []step{
				{at: "A", js: at(script, loadScript), want: "Uncaught Error: told"},
				{at: "B", js: at(script, loadScript), want: "Uncaught Error: told"},
				{at: "C", js: at(script, loadScript), want: "not loaded"},
				{at: "C", js: at(script, without(loadScript)), want: "Script error."},
			},
		},
		{
			name: "module",
			steps: []step{
				{at: "A", js: at(module, loadModule), want: "told"},
				{at: "B", js: at(module, loadModule), want: "told"},
				{at: "C", js: at(module, loadModule), want: "TypeError"},
			},
		},
		{
			name: "stylesheet crossorigin",
			steps: []step{
				{at: "A", js: at(style, loadStyle), want: "p { color: red; }"},
				{at: "B", js: at(style, loadStyle), want: "p { color: red; }"},
				{at: "C", js: at(style, loadStyle), want: "error"},
				{at: "C", js: at(style, without(loadStyle)), want: "SecurityError"},
			},
		},
		{
			name: "font",
			steps: []step{
				{at: "A", js: at(font, loadFont), want: "200 7"},
				{at: "B", js: at(font, loadFont), want: "200 7"},
				{at: "C", js: at(font, loadFont), want: "0 0"},
			},
			calls: []string{"GET /timing/f A", "GET /timing/f B", "GET /timing/f -"},
		},
	})
}
