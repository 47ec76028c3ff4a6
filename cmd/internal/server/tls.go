package server

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"
)

// TLS is where and with which certificate HTTPS is served.
type TLS struct {
	Address  string // ":8443"
	CertFile string // PEM: the certificate, then the intermediate ones
	KeyFile  string // PEM
}

// certificate is a certificate that can be replaced while connections begin.
type certificate struct {
	files   TLS
	current atomic.Pointer[tls.Certificate]
}

func newCertificate(files TLS) (*certificate, error) {
	c := &certificate{files: files}
	return c, c.load()
}

// load reads the files; on an error the current certificate stays.
func (c *certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	if err != nil {
		return fmt.Errorf("cannot load the certificate %s with the key %s: %w", c.files.CertFile, c.files.KeyFile, err)
	}
	c.current.Store(&pair)
	return nil
}

// config returns the TLS settings: TLS 1.2 is the oldest that RFC 9325 §3.1.1
// allows, and HTTP/2 demands it (RFC 9113 §9.2).
//
// The protocols of ALPN must stand here already: without h2 among them,
// http.Server sets HTTP/2 up only when its TLS listener is the first to be
// served, and negotiates it all the same.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current.Load(), nil
		},
	}
}
