package cli

import (
	"log/slog"

	"github.com/coreos/go-systemd/v22/daemon"
)

// manager is the service manager that started the process, if one did and wants
// to know how it is: systemd with Type=notify or notify-reload (sd_notify(3)).
type manager struct{ log *slog.Logger }

func (m manager) ready()    { m.tell(daemon.SdNotifyReady) }
func (m manager) stopping() { m.tell(daemon.SdNotifyStopping) }
func (m manager) alive()    { m.tell(daemon.SdNotifyWatchdog) }

// reloading is followed by ready, however the reload ends.
func (m manager) reloading() {
	m.tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// tell does nothing where NOTIFY_SOCKET is not set.
func (m manager) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		m.log.Warn("the service manager cannot be told", "error", err)
	}
}
