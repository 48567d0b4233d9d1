package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// cases run at the same time.
var cases = []struct {
	name string
	run  func(context.Context, *rig) error
}{
	{"SCRAM-SHA-512: password rotated", scramPassword},
	{"OAUTHBEARER: token file rotated", tokenFile},
	{"OAUTHBEARER: client secret rotated", clientSecret},
	{"refused: wrong password", refused("SASL", `SASL_AUTHENTICATION_FAILED`, "SASL_MECHANISM=SCRAM-SHA-512", "SASL_USERNAME=nobody", "SASL_PASSWORD=hush")},
	{"refused: expired token", refused("SASL", `oauth`, "SASL_MECHANISM=OAUTHBEARER", "SASL_TOKEN_FILE=expired")},
	{"refused: mechanism not enabled", refused("SASL", `UNSUPPORTED_SASL_MECHANISM`, "SASL_MECHANISM=PLAIN", "SASL_USERNAME=nobody", "SASL_PASSWORD=hush")},
	{"refused: no SASL", refused("SASL", `is SASL missing`)},
	{"refused: no client certificate", refused("MTLS", `tls: (certificate required|bad certificate)`)},
	{"refused: unknown CA", refused("SASL", `unknown authority`, "TLS_CA_FILE=clients.pem")},
	{"refused: plain text", refused("SASL", `plaintext|TLS`, "TLS=false", "TLS_CA_FILE=")},
	{"missing right: input", missingRight("input", `topic "no-input.raw": not allowed to read`)},
	{"missing right: alerts", missingRight("alerts", `topic "no-alerts.alerts": not allowed to write`)},
	{"missing right: deadletters", missingRight("deadletters", `topic "no-deadletters.deadletters": not allowed to write`)},
	{"missing right: group, granted later", groupRight},
	{"transaction with the least rights", transaction},
}

// scramPassword changes the password before the file: imdswatch is refused at its
// next authentication, until the file has it.
func scramPassword(ctx context.Context, r *rig) error {
	l, err := r.lane(ctx, "scram", "scram")
	if err != nil {
		return err
	}
	if err := errors.Join(r.password(ctx, "scram", "one"), write(r.file("password"), []byte("one\n")), l.grant(ctx, "")); err != nil {
		return err
	}
	m, err := l.start("SASL", "IMDSWATCH_TLS_CA_FILE="+r.file("brokers.pem"), "IMDSWATCH_SASL_MECHANISM=SCRAM-SHA-512",
		"IMDSWATCH_SASL_USERNAME=scram", "IMDSWATCH_SASL_PASSWORD_FILE="+r.file("password"))
	if err != nil {
		return err
	}
	defer m.kill()
	if err := errors.Join(l.works(ctx), l.buries(ctx)); err != nil {
		return m.failed(err)
	}
	from := len(m.log.String())
	if err := r.password(ctx, "scram", "two"); err != nil {
		return err
	}
	if err := m.says(ctx, from, "SASL_AUTHENTICATION_FAILED"); err != nil {
		return m.failed(err)
	}
	if err := errors.Join(l.attack(ctx), l.ends(ctx, l.alerts(), 1), write(r.file("password"), []byte("two\n")), l.alerted(ctx)); err != nil {
		return m.failed(err)
	}
	return m.failed(l.finishes(ctx, m))
}

// tokenFile writes a token anew before the one before it ends.
func tokenFile(ctx context.Context, r *rig) error {
	l, err := r.lane(ctx, "token", "token")
	if err != nil {
		return err
	}
	const lives = 8 * time.Second
	ends := time.Now().Add(lives + time.Second)
	if err := errors.Join(write(r.file("token"), []byte(token("token", lives))), l.grant(ctx, "")); err != nil {
		return err
	}
	m, err := l.start("SASL", "IMDSWATCH_TLS_CA_FILE="+r.file("brokers.pem"), "IMDSWATCH_SASL_MECHANISM=OAUTHBEARER", "IMDSWATCH_SASL_TOKEN_FILE="+r.file("token"))
	if err != nil {
		return err
	}
	defer m.kill()
	if err := errors.Join(l.works(ctx), l.buries(ctx), write(r.file("token"), []byte(token("token", time.Hour)))); err != nil {
		return m.failed(err)
	}
	if err := until(ctx, "the end of the first token", func() bool { return time.Now().After(ends) }); err != nil {
		return err
	}
	return m.failed(errors.Join(l.works(ctx), l.finishes(ctx, m)))
}

// clientSecret has the authorization server take another secret. Its tokens live
// so short that each authentication asks for one.
func clientSecret(ctx context.Context, r *rig) error {
	l, err := r.lane(ctx, "client", "client")
	if err != nil {
		return err
	}
	server := newTokenServer("client", "one", 8*time.Second)
	defer server.Close()
	if err := errors.Join(write(r.file("secret"), []byte("one\n")), l.grant(ctx, "")); err != nil {
		return err
	}
	m, err := l.start("SASL", "IMDSWATCH_TLS_CA_FILE="+r.file("brokers.pem"), "IMDSWATCH_SASL_MECHANISM=OAUTHBEARER",
		"IMDSWATCH_SASL_TOKEN_URL="+server.URL, "IMDSWATCH_SASL_CLIENT_ID=client", "IMDSWATCH_SASL_CLIENT_SECRET_FILE="+r.file("secret"))
	if err != nil {
		return err
	}
	defer m.kill()
	if err := errors.Join(l.works(ctx), l.buries(ctx)); err != nil {
		return m.failed(err)
	}
	from := len(m.log.String())
	server.rotate("two")
	if err := m.says(ctx, from, "answers 401 Unauthorized invalid_client"); err != nil {
		return m.failed(err)
	}
	if err := errors.Join(l.attack(ctx), write(r.file("secret"), []byte("two\n")), l.alerted(ctx)); err != nil {
		return m.failed(err)
	}
	if server.gave() == 0 {
		return errors.New("an alert came without a token by the new secret")
	}
	return m.failed(l.finishes(ctx, m))
}

// mutualTLS rotates the client's certificate to another user's, takes the rights
// of the first away, gives the brokers a certificate of another CA and restarts
// them: what comes through then has the new certificate and knows the new CA.
func mutualTLS(ctx context.Context, r *rig) error {
	l, err := r.lane(ctx, "mtls", "CN=one")
	if err != nil {
		return err
	}
	if err := errors.Join(r.identify("one"), l.grant(ctx, "")); err != nil {
		return err
	}
	m, err := l.start("MTLS", "IMDSWATCH_TLS_CA_FILE="+r.file("brokers.pem"), "IMDSWATCH_TLS_CERT_FILE="+r.file("cert.pem"), "IMDSWATCH_TLS_KEY_FILE="+r.file("key.pem"))
	if err != nil {
		return err
	}
	defer m.kill()
	if err := errors.Join(l.works(ctx), l.buries(ctx)); err != nil {
		return m.failed(err)
	}
	l.principal = "CN=two"
	if err := errors.Join(r.identify("two"), l.grant(ctx, ""), r.forget(ctx, "CN=one"), r.certify("brokers.pem")); err != nil {
		return err
	}
	if err := errors.Join(r.kafka.Stop(1), r.kafka.Restart(1), r.dial()); err != nil { // the client before has dead connections
		return err
	}
	return m.failed(errors.Join(l.works(ctx), l.finishes(ctx, m)))
}

// identify gives the client a certificate.
func (r *rig) identify(name string) error {
	cert, key, err := r.clients.issue(name)
	return errors.Join(err, write(r.file("key.pem"), key), write(r.file("cert.pem"), cert))
}

// refused wants the start to end with exit code 3 and a reason. The values of
// variables with _FILE are names in the rig's folder.
func refused(listener, reason string, env ...string) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		l := &lane{rig: r, name: "refused"}
		all := []string{"IMDSWATCH_TLS_CA_FILE=" + r.file("brokers.pem")}
		for _, variable := range env {
			if name, file, _ := strings.Cut(variable, "="); strings.HasSuffix(name, "_FILE") && file != "" {
				variable = name + "=" + r.file(file)
			}
			all = append(all, "IMDSWATCH_"+variable)
		}
		return l.ended(ctx, listener, reason, all...)
	}
}

// ended wants a start to end with exit code 3 and a reason.
func (l *lane) ended(ctx context.Context, listener, reason string, env ...string) error {
	m, err := l.start(listener, env...)
	if err != nil {
		return err
	}
	defer m.kill()
	if err := m.exits(ctx, 3); err != nil {
		return m.failed(err)
	}
	if !regexp.MustCompile(reason).MatchString(m.log.String()) {
		return m.failed(fmt.Errorf("it does not say %s", reason))
	}
	return nil
}

// scramUser is a lane of a user of SCRAM, and its environment.
func (r *rig) scramUser(ctx context.Context, name string) (*lane, []string, error) {
	l, err := r.lane(ctx, name, name)
	return l, []string{"IMDSWATCH_TLS_CA_FILE=" + r.file("brokers.pem"), "IMDSWATCH_SASL_MECHANISM=SCRAM-SHA-512",
		"IMDSWATCH_SASL_USERNAME=" + name, "IMDSWATCH_SASL_PASSWORD=hush"}, errors.Join(err, r.password(ctx, name, "hush"))
}

func missingRight(right, reason string) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		l, env, err := r.scramUser(ctx, "no-"+right)
		if err := errors.Join(err, l.grant(ctx, right)); err != nil {
			return err
		}
		return l.ended(ctx, "SASL", reason, env...)
	}
}

// groupRight starts without a right on the group, which is told and waited for.
func groupRight(ctx context.Context, r *rig) error {
	l, env, err := r.scramUser(ctx, "no-group")
	if err := errors.Join(err, l.grant(ctx, "group")); err != nil {
		return err
	}
	m, err := l.start("SASL", env...)
	if err != nil {
		return err
	}
	defer m.kill()
	if err := errors.Join(m.says(ctx, 0, "GROUP_AUTHORIZATION_FAILED"), l.allow(ctx, l.rights(l.principal)["group"])); err != nil {
		return m.failed(err)
	}
	return m.failed(errors.Join(l.works(ctx), l.finishes(ctx, m)))
}

// transaction does what exactly-once needs as a user with the right on its
// transactional id, and before that without it.
func transaction(ctx context.Context, r *rig) error {
	l, _, err := r.scramUser(ctx, "exactly")
	if err := errors.Join(err, l.grant(ctx, "")); err != nil {
		return err
	}
	ca, err := os.ReadFile(r.file("brokers.pem"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	open := func() (*kgo.GroupTransactSession, error) {
		return kgo.NewGroupTransactSession(kgo.SeedBrokers(r.kafka.ListenerAddrs("SASL")), kgo.DialTLSConfig(&tls.Config{RootCAs: roots}),
			kgo.SASL(scram.Auth{User: "exactly", Pass: "hush"}.AsSha512Mechanism()), kgo.TransactionalID("exactly-0"),
			kgo.ConsumerGroup(l.name), kgo.ConsumeTopics(l.input()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
	}
	without, err := open()
	if err != nil {
		return err
	}
	err = without.Begin()
	without.Close()
	if !errors.Is(err, kerr.TransactionalIDAuthorizationFailed) {
		return errors.Join(errors.New("without the right a transaction does not fail with TRANSACTIONAL_ID_AUTHORIZATION_FAILED"), err)
	}
	prefixed := kadm.NewACLs().Allow("User:exactly").AllowHosts().TransactionalIDs("exactly").Operations(kadm.OpWrite).ResourcePatternType(kadm.ACLPatternPrefixed)
	if err := errors.Join(l.allow(ctx, prefixed), l.attack(ctx)); err != nil {
		return err
	}
	session, err := open()
	if err != nil {
		return err
	}
	defer session.Close()
	if session.PollFetches(ctx).NumRecords() == 0 {
		return errors.New("the poll has no record")
	}
	if err := session.Begin(); err != nil {
		return err
	}
	if err := session.ProduceSync(ctx, &kgo.Record{Topic: l.alerts(), Value: []byte("{}")}).FirstErr(); err != nil {
		return err
	}
	committed, err := session.End(ctx, kgo.TryCommit)
	if err == nil && !committed {
		err = errors.New("the transaction was not committed")
	}
	return err
}

// failed adds the end of the log to an error.
func (m *member) failed(err error) error {
	if err == nil {
		return nil
	}
	const most = 2000
	said := m.log.String()
	return fmt.Errorf("%w; imdswatch says: %s", err, said[max(0, len(said)-most):])
}
