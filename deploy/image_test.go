package deploy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// runsAlone runs the image's program as the image does, as the user 65532, with
// nothing in its world but itself and a configuration that it may only read:
// no loader, no libraries, no /etc/passwd, no /proc, no /tmp. It answers, says
// that it is ready, and ends well on SIGTERM.
func runsAlone(t *testing.T, program string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Log("the program is not run alone: only root may change the root folder")
		return
	}
	up := httptest.NewServer(http.HandlerFunc(application))
	defer up.Close()
	proxy, admin := freeAddress(t), freeAddress(t)
	root := t.TempDir()
	src, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "usr/bin/veneer"), string(src))
	write(t, filepath.Join(root, "etc/veneer/veneer.yaml"), fmt.Sprintf(
		"server: { http: %q }\nadmin: { address: %q }\nupstreams: { app: { servers: %q } }\nroutes: [{ match: { path: / }, upstream: app }]\n", proxy, admin, up.URL))
	for path, mode := range map[string]os.FileMode{root: 0o555, filepath.Join(root, "usr/bin/veneer"): 0o555} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/usr/bin/veneer", "serve", "-c", "/etc/veneer/veneer.yaml")
	cmd.Dir, cmd.Env = "/", []string{"GOMEMLIMIT=256MiB"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	p := start(t, "veneer, alone", cmd)
	p.await(t, func() bool { return ready(t, admin) })
	for _, want := range []string{"veneer; fwd=uri-miss; fwd-status=200; ttl=60; stored", "veneer; hit; ttl="} {
		head, _ := must(t, "GET", "http://"+proxy+"/hello", "")
		if got := head.Get("Cache-Status"); len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("Cache-Status: %s, want %s", got, want)
		}
	}
	p.stop(t)
	if p.err != nil {
		t.Errorf("it did not end well: %v\n%s", p.err, p.said)
	}
}
