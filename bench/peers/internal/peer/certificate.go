package peer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Certificate is for 127.0.0.1, with a P-256 key as most servers have today.
type Certificate struct {
	Cert, Key string // files
	Both      string // a file with the two
	Roots     *x509.CertPool
}

// Certify writes a certificate that is good for a day into dir. Every server
// may read it: what it guards is a loopback.
func Certify(dir string) (Certificate, error) {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Certificate{}, fmt.Errorf("cannot make a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	if err != nil {
		return Certificate{}, fmt.Errorf("cannot make a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		return Certificate{}, fmt.Errorf("cannot make a key: %w", err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	c := Certificate{
		Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), Both: filepath.Join(dir, "both.pem"),
		Roots: x509.NewCertPool(),
	}
	c.Roots.AppendCertsFromPEM(cert)
	var all error
	for path, text := range map[string][]byte{c.Cert: cert, c.Key: key, c.Both: slices.Concat(cert, key)} {
		all = errors.Join(all, os.WriteFile(path, text, 0o644)) // #nosec G306: as the doc comment says
	}
	if all != nil {
		return Certificate{}, fmt.Errorf("cannot write a certificate: %w", all)
	}
	return c, nil
}
