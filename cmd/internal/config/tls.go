package config

import (
	"crypto/tls"
	"encoding/pem"
)

// keyPair checks that a certificate and a key belong together, so that a
// reload does not find out when it is too late. The server reads the files
// again: certificates change more often than configurations.
func (r *reader) keyPair(path string, cert, key []byte) {
	if cert == nil || key == nil {
		return
	}
	if b, _ := pem.Decode(cert); b == nil {
		r.problem(path+".cert_file", "", "the file holds nothing in PEM form", "a chain that begins with -----BEGIN CERTIFICATE-----")
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		r.problem(path+".key_file", "", "the file does not hold, in PEM form, the key of the certificate in cert_file", "the private key that the certificate was made for")
	}
}
