package report

import (
	"os"
	"runtime"
	"strings"
)

// Machine is where the figures were taken.
type Machine struct {
	Cores  int    `json:"cores"`
	CPU    string `json:"cpu"`
	Kernel string `json:"kernel"`
	System string `json:"system"`
	Load   string `json:"load"` // of the last minutes, before the first round
}

// ThisMachine describes the one that it runs on. What the system does not tell
// is "".
func ThisMachine() Machine {
	return Machine{
		Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH,
		CPU: model(read("/proc/cpuinfo")), Kernel: read("/proc/sys/kernel/osrelease"), Load: read("/proc/loadavg"),
	}
}

func read(path string) string {
	text, err := os.ReadFile(path) // #nosec G304: the paths are those above
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// model finds the first processor's name in cpuinfo.
func model(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		name, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
