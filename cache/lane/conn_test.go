package lane

import (
	"errors"
	"net"
	"testing"
	"time"
)

// leaving is a Transport whose Conn is closed while a request comes.
type leaving struct {
	net.Conn
	conn *Conn
}

func (l *leaving) Receive(p []byte) (int, error) {
	_ = l.conn.Close()
	return copy(p, plainHead), nil
}

func (*leaving) Send(time.Time, []byte, []byte) (int, error) { return 0, errors.New("sent") }
func (*leaving) Passed(time.Time)                            {}

// A request that comes too late gets no answer: behind the end of a read
// net/http is silent, and behind another error it may say 400.
func TestClosedWhileReading(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	below := &leaving{Conn: server}
	below.conn = New(Config{}).Conn(below)
	n, err := below.conn.Read(make([]byte, 4096))
	if op := (*net.OpError)(nil); n != 0 || !errors.As(err, &op) || op.Op != "read" || !errors.Is(err, net.ErrClosed) {
		t.Errorf("%d bytes, %#v", n, err)
	}
}
