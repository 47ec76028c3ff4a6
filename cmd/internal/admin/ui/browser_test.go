package ui_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"veneer/cmd/internal/chromium"
)

// patience is how long anything may take that takes no time when all is well.
const patience = 20 * time.Second

// browser serves all tests.
var browser chromium.Shared

func TestMain(m *testing.M) { os.Exit(browser.Run(m)) }

// tab is a page in a browser context of its own. What goes wrong in it, a
// refusal by the policy among it, fails the test.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex    // guards what follows
	asked    []string      // URLs of all requests
	passed   chan struct{} // one for each pass that has ended
	expected string        // what a message of the console may have
	faults   []string
}

// open makes a tab with width pixels, which prefers the colour scheme, and goes
// to url. Messages of the console with expected in them, if given, are no fault.
func open(t *testing.T, url, scheme string, width int64, expected ...string) *tab {
	t.Helper()
	chromium.Need(t)
	parent, err := browser.Browser()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext())
	b := &tab{t: t, ctx: ctx, passed: make(chan struct{}, 1), expected: strings.Join(expected, "")}
	t.Cleanup(func() {
		b.check()
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("cannot close the tab: %v", err)
		}
		cancel()
	})
	if err := chromedp.Listen(ctx, b.heed); err != nil {
		t.Fatalf("cannot open a tab: %v", err)
	}
	messages := chromedp.Console(ctx)
	go func() { // until the context of the tab ends
		for m, err := range messages {
			if err != nil {
				return
			}
			b.told(m)
		}
	}()
	prefer := func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return chromedp.Void{}, err
	}
	b.do(chromedp.EmulateViewport(width, 900), prefer, chromedp.Navigate(url))
	return b
}

func (b *tab) heed(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.mu.Lock()
		defer b.mu.Unlock()
		b.asked = append(b.asked, e.Request.URL)
	case *emulation.EventVirtualTimeBudgetExpired:
		b.passed <- struct{}{}
	}
}

// pass lets the clock of the page run ahead, but not past answers that are
// awaited, and returns how many requests there were meanwhile. The clock stands
// afterwards.
func (b *tab) pass(d time.Duration) int {
	b.t.Helper()
	b.mu.Lock()
	before := len(b.asked)
	b.mu.Unlock()
	budget := float64(d.Milliseconds())
	b.do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetVirtualTimePolicy, emulation.SetVirtualTimePolicyParams{
			Policy: emulation.VirtualTimePolicyPauseIfNetworkFetchesPending, Budget: &budget,
		})
		return chromedp.Void{}, err
	})
	select {
	case <-b.passed:
	case <-time.After(patience):
		b.t.Fatalf("the clock of the page does not run")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.asked) - before
}

// told records what the console says that is no mere note: a violation of the
// policy is an error there.
func (b *tab) told(m chromedp.ConsoleMessage) {
	if m.Type != chromedp.ConsoleError && m.Type != chromedp.ConsoleException && m.Type != chromedp.ConsoleWarning {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.expected == "" || !strings.Contains(m.Text, b.expected) {
		b.faults = append(b.faults, m.String()+" "+m.URL)
	}
}

// expect lets the console have messages with text in them.
func (b *tab) expect(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = text
}

// check fails the test for what the console had.
func (b *tab) check() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		b.t.Errorf("the console has %s", f)
	}
}

// do runs steps.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v; the page has:\n%.2000s", err, b.text())
	}
}

// text is what the page shows.
func (b *tab) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, 2*time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	return text
}

// anew finds in an error that the page was loaded anew meanwhile.
var anew = regexp.MustCompile(`context with specified id|navigated`)

// wait waits until a script's expression holds.
func (b *tab) wait(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	holds := chromedp.Poll[bool](expression, chromedp.WithPollingInterval(20*time.Millisecond))
	_, err := chromedp.Run(ctx, holds)
	for err != nil && ctx.Err() == nil && anew.MatchString(err.Error()) {
		_, err = chromedp.Run(ctx, holds)
	}
	if err != nil {
		b.t.Fatalf("%s never holds: %v; the page has:\n%.2000s", expression, err, b.text())
	}
}

// shows waits until the elements of a selector have a text among them.
func (b *tab) shows(selector, text string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("[...document.querySelectorAll(%q)].some(n => n.checkVisibility() && n.innerText.includes(%q))", selector, text))
}

// eval is what a script's expression is worth.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// press types keys wherever the focus is.
func (b *tab) press(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// clicked clicks the first element of a selector where it can be hit. It is one
// step: the page moves with every poll, and a mouse would come too late.
const clicked = `(() => {
  const n = document.querySelector(%q);
  if (!n || n.disabled || !n.checkVisibility()) return false;
  n.scrollIntoView({block: "center", behavior: "instant"});
  const box = n.getBoundingClientRect();
  if (!n.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2))) return false;
  n.focus();
  n.click();
  return true;
})()`

// click clicks the first element of a selector once it can be.
func (b *tab) click(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Poll[bool](fmt.Sprintf(clicked, selector), chromedp.WithPollingInterval(20*time.Millisecond)))
	if err != nil && !anew.MatchString(err.Error()) { // a click may load the page anew
		b.t.Fatalf("%s cannot be clicked: %v; the page has:\n%.2000s", selector, err, b.text())
	}
}

// write puts a text into a field.
func (b *tab) write(selector, text string) {
	b.t.Helper()
	b.do(chromedp.Focus(chromedp.CSS(selector)))
	eval[bool](b, fmt.Sprintf("document.querySelector(%q).select() === undefined", selector))
	b.press(text)
}
