package cache

import "testing"

func TestResolveDots(t *testing.T) {
	for _, c := range []struct {
		path, want    string
		dots, escapes bool
	}{
		{"/", "/", false, false},
		{"/a/b", "/a/b", false, false},
		{"/.well-known/x", "/.well-known/x", false, false},
		{"/a/...", "/a/...", false, false},
		{"/a/../b", "/b", true, false},
		{"/a/./b/", "/a/b/", true, false},
		{"/a/..", "/", true, false},
		{"/public/../admin", "/admin", true, false},
		{"/public/%2E%2E/admin", "/admin", true, false},
		{"/public/..%2Fadmin", "/admin", true, false},
		{"/public/..%5Cadmin", "/admin", true, false},
		{"/public/..;x=1/admin", "/admin", true, false},
		{"/../etc/passwd", "/etc/passwd", true, true},
		{"/a/../../b", "/b", true, true},
		{"/a%2Fb", "/a/b", false, false},
	} {
		got, escapes := resolveDots(c.path)
		if got != c.want || escapes != c.escapes || hasDots(c.path) != c.dots {
			t.Errorf("%s: got %s, %v, dots %v; want %s, %v, %v", c.path, got, escapes, hasDots(c.path), c.want, c.escapes, c.dots)
		}
	}
}

func FuzzResolveDots(f *testing.F) {
	f.Add("/a/../b/%2E%2E/c")
	f.Add("/..%2F..;x/%5C./")
	f.Fuzz(func(t *testing.T, path string) {
		if path == "" || path[0] != '/' {
			return
		}
		got, _ := resolveDots(path)
		if hasDots(got) && !hasDots(path) || got == "" || got[0] != '/' {
			t.Fatalf("%q became %q", path, got)
		}
		if again, _ := resolveDots(got); again != got && got != "" && !hasDots(got) {
			t.Fatalf("%q became %q and then %q", path, got, again)
		}
	})
}
