// Command secure runs imdswatch against real Apache Kafka by mutual TLS, SCRAM
// and OAUTHBEARER, each as a user with the rights that docs/security.md names and
// no others, and rotates certificates, password, token and client secret while it
// runs.
//
//	go run ./hack/secure -imdswatch ./imdswatch
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/hack/kafka/broker"
)

var (
	binary = flag.String("imdswatch", "./imdswatch", "the binary to test")
	limit  = flag.Duration("limit", 2*time.Minute, "when to give up")
)

// reauth is how long the brokers take an authentication for good.
const reauth = 4 * time.Second

// properties are those of a broker with users; %[1]s is a folder.
const properties = `
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
# The plain listener is for the brokers and for this test.
super.users=User:ANONYMOUS
connections.max.reauth.ms=%[2]d
sasl.enabled.mechanisms=SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
listener.name.sasl.oauthbearer.sasl.server.callback.handler.class=org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler
ssl.keystore.type=PEM
ssl.keystore.location=%[1]s/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=%[1]s/clients.pem
listener.name.mtls.ssl.client.auth=required
`

// rig is what the cases share.
type rig struct {
	dir     string
	kafka   *broker.Cluster
	client  *kgo.Client // by the plain listener, which may do everything
	admin   *kadm.Client
	clients *authority
}

// result is a line on stdout.
type result struct {
	Case    string  `json:"case"`
	OK      bool    `json:"ok"`
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error,omitempty"`
}

func main() {
	flag.Parse()
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Print(err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	r := &rig{}
	if r.dir, err = os.MkdirTemp("", "imdswatch-secure-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.dir)
	if r.clients, err = newAuthority("clients"); err != nil {
		return err
	}
	if err := write(r.file("clients.pem"), r.clients.pem()); err != nil {
		return err
	}
	if err := write(r.file("expired"), []byte(token("nobody", -time.Minute))); err != nil {
		return err
	}
	if err := r.certify("brokers.pem"); err != nil {
		return err
	}
	r.kafka, err = broker.Start(ctx, broker.Options{
		Brokers: 1, Log: os.Stderr,
		Listeners:  []broker.Listener{{Name: "SASL", Protocol: "SASL_SSL"}, {Name: "MTLS", Protocol: "SSL"}},
		Properties: fmt.Sprintf(properties, r.dir, reauth.Milliseconds()),
	})
	if err != nil {
		return err
	}
	defer r.kafka.Close()
	if err := r.dial(); err != nil {
		return err
	}
	defer func() { r.client.Close() }()

	var all sync.WaitGroup
	var mu sync.Mutex // guards stdout and failed
	failed := false
	do := func(name string, run func(context.Context, *rig) error) {
		began := time.Now()
		err := run(ctx, r)
		line := result{Case: name, OK: err == nil, Seconds: float64(time.Since(began).Round(100*time.Millisecond)) / float64(time.Second)}
		if err != nil {
			line.Error = err.Error()
		}
		mu.Lock()
		defer mu.Unlock()
		failed = failed || err != nil
		_ = json.NewEncoder(os.Stdout).Encode(line) // nobody is left to tell
	}
	for _, c := range cases {
		all.Go(func() { do(c.name, c.run) })
	}
	all.Wait()
	do("mutual TLS: certificate and CA rotated", mutualTLS) // alone, since it restarts the broker
	if failed {
		return errors.New("not all cases are ok")
	}
	return nil
}

// dial makes the rig's own client, in place of the one before it.
func (r *rig) dial() error {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.Addrs()...))
	if err != nil {
		return err
	}
	if r.client != nil {
		r.client.Close()
	}
	r.client, r.admin = client, kadm.NewClient(client)
	return nil
}

// certify gives the brokers a certificate by a CA of its own, which a file names
// to clients.
func (r *rig) certify(ca string) error {
	a, err := newAuthority("brokers")
	if err != nil {
		return err
	}
	cert, key, err := a.issue("broker")
	if err != nil {
		return err
	}
	if err := write(r.file("server.pem"), append(key, cert...)); err != nil {
		return err
	}
	return write(r.file(ca), a.pem())
}

func (r *rig) file(name string) string { return filepath.Join(r.dir, name) }
