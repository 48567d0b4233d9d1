package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// dialTimeout bounds a connection and its handshake; it is kgo's own.
const dialTimeout = 10 * time.Second

// tlsFiles are the files of TLS, each with an empty path if there is none.
type tlsFiles struct {
	ca, cert, key string
	log           *slog.Logger

	mu     sync.Mutex
	last   *tls.Config // of the files when they were last without fault
	warned string      // of which faults since
}

// tls converts the variables about TLS.
func (f *faults) tls(v *ConnectionVariables, log *slog.Logger) []kgo.Opt {
	t := &tlsFiles{ca: strings.TrimSpace(v.TLSCaFile), cert: strings.TrimSpace(v.TLSCertFile), key: strings.TrimSpace(v.TLSKeyFile), log: log}
	if f.oneOf("TLS", v.TLS, "true", "false") != "true" {
		for _, file := range []struct{ name, path string }{{"TLS_CA_FILE", t.ca}, {"TLS_CERT_FILE", t.cert}, {"TLS_KEY_FILE", t.key}} {
			if file.path != "" {
				f.add(file.name, "means nothing without "+prefix+"_TLS=true")
			}
		}
		return nil
	}
	t.last = t.read(f)
	// A dialer and not kgo.DialTLSConfig, which keeps the CAs it began with.
	return []kgo.Opt{kgo.Dialer(t.dial)}
}

// dial connects with the files as they are now.
func (t *tlsFiles) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: t.config()}
	return d.DialContext(ctx, network, address)
}

// config is the configuration by the files. While one of them is wrong, as when
// a certificate is written and its key is not yet, the last one that was right
// stays, and the log says so once.
func (t *tlsFiles) config() *tls.Config {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := &faults{}
	config := t.read(f)
	if err := errors.Join(f.errs...); err == nil {
		t.last, t.warned = config, ""
	} else if t.warned != err.Error() {
		t.warned = err.Error()
		t.log.Warn("the files of TLS are not right, those before them stay in use", "error", err)
	}
	return t.last
}

func (t *tlsFiles) read(f *faults) *tls.Config {
	config := &tls.Config{} // no RootCAs are the system's
	if t.ca != "" {
		config.RootCAs = x509.NewCertPool()
		if text := f.file("TLS_CA_FILE", t.ca); text != nil && !config.RootCAs.AppendCertsFromPEM(text) {
			f.add("TLS_CA_FILE", "%s: no certificate in PEM", t.ca)
		}
	}
	switch {
	case t.cert == "" && t.key == "":
		return config
	case t.cert == "":
		f.add("TLS_CERT_FILE", "empty, the key needs its certificate")
		return config
	case t.key == "":
		f.add("TLS_KEY_FILE", "empty, the certificate needs its key")
		return config
	}
	cert, key := f.file("TLS_CERT_FILE", t.cert), f.file("TLS_KEY_FILE", t.key)
	if cert != nil && !x509.NewCertPool().AppendCertsFromPEM(cert) {
		f.add("TLS_CERT_FILE", "%s: no certificate in PEM", t.cert)
	} else if cert != nil && key != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			f.add("TLS_KEY_FILE", "%s: %s", t.key, strings.TrimPrefix(err.Error(), "tls: "))
		}
		// Not config.Certificates: a certificate whose CA the broker does not
		// name would be held back, and the broker would say that there is none.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return config
}

// file reads a file that a variable names; nil for one that cannot be read.
func (f *faults) file(name, path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		f.check(name, err)
		return nil // not the part that was read
	}
	return text
}
