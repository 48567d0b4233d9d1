package main

import (
	"log/slog"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ConnectionVariables are the part of the environment that says how brokers are
// reached. envconfig fills it in as a part of environment only if it is
// exported, and it takes TLSCA for one word.
type ConnectionVariables struct {
	TLS                  string `default:"false" desc:"true encrypts, and verifies the brokers"`
	TLSCaFile            string `split_words:"true" desc:"PEM of the CAs that brokers are verified by; empty for the system's"`
	TLSCertFile          string `split_words:"true" desc:"PEM of the client certificate, for mutual TLS"`
	TLSKeyFile           string `split_words:"true" desc:"PEM of its key"`
	SASLMechanism        string `split_words:"true" desc:"PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM"`
	SASLUsername         string `split_words:"true" desc:"user of PLAIN and SCRAM"`
	SASLUsernameFile     string `split_words:"true" desc:"file with it"`
	SASLPassword         string `split_words:"true" desc:"password of PLAIN and SCRAM"`
	SASLPasswordFile     string `split_words:"true" desc:"file with it"`
	SASLTokenFile        string `split_words:"true" desc:"file with the token of OAUTHBEARER"`
	SASLTokenURL         string `split_words:"true" desc:"where OAUTHBEARER asks for a token, in place of the file"`
	SASLClientID         string `split_words:"true" desc:"what it asks as"`
	SASLClientSecret     string `split_words:"true" desc:"secret of that client"`
	SASLClientSecretFile string `split_words:"true" desc:"file with it"`
}

// connection converts the variables about brokers to options for every client.
// Files are read again whenever a connection is made or authenticated anew; they
// are read here as well, so that a wrong one stops the start.
func (f *faults) connection(v *ConnectionVariables, log *slog.Logger) []kgo.Opt {
	return slices.Concat(f.tls(v, log), f.sasl(v, log))
}
