package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// door is the TLS of a broker that a test changes, and who came in by it.
type door struct {
	mu     sync.Mutex
	config *tls.Config
	names  []string // of client certificates
}

func (d *door) set(t *testing.T, broker, clients *authority) {
	t.Helper()
	config := broker.server(t)
	if clients != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		config.ClientCAs.AddCert(clients.cert)
		config.VerifyConnection = func(s tls.ConnectionState) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.names = append(d.names, s.PeerCertificates[0].Subject.CommonName)
			return nil
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.config = config
}

// last is the name of the last client certificate.
func (d *door) last() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.names) == 0 {
		return ""
	}
	return d.names[len(d.names)-1]
}

func (d *door) tls() *tls.Config {
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.config, nil
	}}
}

// fake starts a fake broker whose connections can be cut.
func fake(t *testing.T, opts ...kfake.Opt) (*kfake.Cluster, *wire) {
	t.Helper()
	w := &wire{}
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.ListenFn(w.listen))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster, w
}

// connect is a client by the environment, see setConnection.
func connect(t *testing.T, cluster *kfake.Cluster, stderr *shared, set string) *kgo.Client {
	t.Helper()
	setConnection(t, set)
	cfg, err := readConfig(stderr)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(append(slices.Clone(cfg.kafka), kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RequestRetries(2),
		kgo.RetryBackoffFn(func(int) time.Duration { return time.Millisecond }))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// comes wants a request to succeed, or where want is not empty, to fail with it.
func comes(t *testing.T, client *kgo.Client, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	// Not a ping, which is not tried again where the last connection was cut.
	switch _, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client); {
	case want == "" && err != nil:
		t.Errorf("request: %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("request: error %v, want one with %q", err, want)
	}
}

const mutual = "TLS=true TLS_CA_FILE=ca.pem TLS_CERT_FILE=cert.pem TLS_KEY_FILE=key.pem"

func TestMutualTLS(t *testing.T) {
	connectionFiles(t)
	brokers, clients := newAuthority(t, "brokers"), newAuthority(t, "clients")
	cert, key := clients.issue(t, "one")
	writeFile(t, "ca.pem", brokers.pem())
	writeFile(t, "cert.pem", cert)
	writeFile(t, "key.pem", key)
	writeFile(t, "foreign.pem", clients.pem())
	d := &door{}
	d.set(t, brokers, clients)
	cluster, _ := fake(t, kfake.TLS(d.tls()))
	for _, test := range []struct{ name, set, want string }{
		{"all right", mutual, ""},
		{"no certificate", "TLS=true TLS_CA_FILE=ca.pem", "certificate required"},
		{"a CA that did not sign the broker's", strings.ReplaceAll(mutual, "ca.pem", "foreign.pem"), "certificate signed by unknown authority"},
		{"the system's CAs", "TLS=true", "certificate signed by unknown authority"},
		{"plain text", "TLS=false", "plaintext"},
	} {
		t.Run(test.name, func(t *testing.T) {
			comes(t, connect(t, cluster, &shared{}, test.set), test.want)
		})
	}
}

func TestRotatedCAIsTakenWithoutRestart(t *testing.T) {
	connectionFiles(t)
	before, after := newAuthority(t, "before"), newAuthority(t, "after")
	writeFile(t, "ca.pem", before.pem())
	d := &door{}
	d.set(t, before, nil)
	cluster, wire := fake(t, kfake.TLS(d.tls()))
	client := connect(t, cluster, &shared{}, "TLS=true TLS_CA_FILE=ca.pem")
	comes(t, client, "")

	d.set(t, after, nil)
	wire.cut()
	comes(t, client, "certificate signed by unknown authority")
	writeFile(t, "ca.pem", after.pem())
	comes(t, client, "")

	d.set(t, before, nil) // a broker that is behind
	wire.cut()
	comes(t, client, "certificate signed by unknown authority")
	writeFile(t, "ca.pem", append(before.pem(), after.pem()...))
	comes(t, client, "")
}

func TestRotatedCertificateIsTakenWithoutRestart(t *testing.T) {
	connectionFiles(t)
	brokers, before, after := newAuthority(t, "brokers"), newAuthority(t, "before"), newAuthority(t, "after")
	oldCert, oldKey := before.issue(t, "one")
	newCert, newKey := after.issue(t, "two")
	writeFile(t, "ca.pem", brokers.pem())
	writeFile(t, "cert.pem", oldCert)
	writeFile(t, "key.pem", oldKey)
	d := &door{}
	d.set(t, brokers, before)
	cluster, wire := fake(t, kfake.TLS(d.tls()))
	stderr := &shared{}
	client := connect(t, cluster, stderr, mutual)
	comes(t, client, "")

	// The pair is half written: the old one stays, and is warned of once.
	writeFile(t, "cert.pem", newCert)
	for range 2 {
		wire.cut()
		comes(t, client, "")
		if name := d.last(); name != "one" {
			t.Errorf("came in as %q, want one", name)
		}
	}
	warning := `IMDSWATCH_TLS_KEY_FILE: key.pem: private key does not match public key`
	if n := strings.Count(stderr.String(), warning); n != 1 {
		t.Errorf("warned %d times, want 1:\n%s", n, stderr.String())
	}

	d.set(t, brokers, after) // the broker believes the new one alone
	wire.cut()
	comes(t, client, "unknown certificate authority")
	writeFile(t, "key.pem", newKey)
	comes(t, client, "")
	if name := d.last(); name != "two" {
		t.Errorf("came in as %q, want two", name)
	}

	// And what is wrong again is warned of again.
	writeFile(t, "key.pem", oldKey)
	wire.cut()
	comes(t, client, "")
	if n := strings.Count(stderr.String(), warning); n != 2 {
		t.Errorf("warned %d times, want 2:\n%s", n, stderr.String())
	}
}
