package bare

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
)

// answerer returns the ready bytes that answer a head, which is without its
// blank line. All connections share them.
type answerer func(head []byte) []byte

var blankLine = []byte("\r\n\r\n")

// serve answers every request of one connection until it ends. A read may bring
// less than a head or several: what is left over stays in the buffer. Requests
// with content are not for it.
func serve(conn net.Conn, answer answerer) {
	defer conn.Close()
	buf := make([]byte, 16<<10)
	held := 0
	for {
		n, err := conn.Read(buf[held:])
		if err != nil {
			return
		}
		held += n
		used := 0
		for {
			end := bytes.Index(buf[used:held], blankLine)
			if end < 0 {
				break
			}
			if _, err := conn.Write(answer(buf[used : used+end])); err != nil {
				return
			}
			used += end + len(blankLine)
		}
		held = copy(buf, buf[used:held])
		if held == len(buf) {
			return // a head that large is none of ours
		}
	}
}

// accept serves every connection of the listeners, each in a goroutine, until
// ctx ends or accepting fails.
func accept(ctx context.Context, answer answerer, listeners ...net.Listener) error {
	stop := context.AfterFunc(ctx, func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	})
	defer stop()
	var wait sync.WaitGroup
	errs := make(chan error, len(listeners))
	for _, l := range listeners {
		wait.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					errs <- err
					return
				}
				go serve(conn, answer) // it ends with its connection, or with the process
			}
		})
	}
	wait.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("cannot accept connections: %w", <-errs)
}

// listen opens the two listeners, cleartext and TLS with the protocols named.
// Either may be left out.
func (o options) listen(protocols ...string) (plain, secure net.Listener, err error) {
	if o.http != "" {
		if plain, err = net.Listen("tcp", o.http); err != nil {
			return nil, nil, fmt.Errorf("cannot listen on %s: %w", o.http, err)
		}
	}
	if o.https == "" {
		return plain, nil, nil
	}
	pair, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot load the certificate %s: %w", o.cert, err)
	}
	secure, err = tls.Listen("tcp", o.https, &tls.Config{
		Certificates: []tls.Certificate{pair}, NextProtos: protocols, MinVersion: tls.VersionTLS13,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot listen on %s: %w", o.https, err)
	}
	return plain, secure, nil
}
