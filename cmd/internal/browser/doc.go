// Package browser is a gate: headless Chromium against the built program. A
// browser is the only judge of CORS, and what it does with its own cache, with
// a 304 and with a redirect is written in no header. It has tests only, and
// nothing imports it.
//
//	go test ./cmd/internal/browser
//
// A test sets a scene: Veneer, as `veneer serve -c FILE` runs it, in front of an
// application of this process, and pages under several origins. Origins are
// ports of 127.0.0.1, which is one site, so that all pages share one partition
// of the browser's cache: a stored response meets the next origin there as it
// does in the proxy's.
//
// Each case is a list of steps; a step is one fetch by the script of one page,
// and one line says what came of it:
//
//	cors 200 "1 A" [hit]              the page read the 200, which the application made as its first, for Origin A, and Veneer had it stored
//	blocked MissingAllowOriginHeader  the page got a TypeError; the word is Chromium's, from the DevTools protocol
//	cors 200 "1 A" [browser]          the browser's own cache answered
//
// What the application saw of a case is a list of lines of the same kind. Cases
// whose name begins with "control:" show the fault without Veneer, or with the
// remedy switched off: when Chromium stops failing there, the case beside it
// proves nothing any more.
//
// It needs Chromium; without it the tests are skipped, or fail where CI=true
// says that nothing may be left out.
package browser
