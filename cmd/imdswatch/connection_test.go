package main

import (
	"bytes"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// connections are values of the variables about brokers, as NAME=value, and what
// is said of them, a fault a line. The files are those of connectionFiles.
var connections = []struct {
	name   string
	set    string
	faults []string
	warned string
}{
	{name: "nothing"},
	{name: "no tls", set: "TLS=false"},
	{name: "tls by the system's CAs", set: "TLS=true"},
	{name: "tls by a CA", set: "TLS=true TLS_CA_FILE=ca.pem"},
	{name: "mutual tls", set: "TLS=true TLS_CA_FILE=ca.pem TLS_CERT_FILE=cert.pem TLS_KEY_FILE=key.pem"},
	{name: "tls neither true nor false", set: "TLS=on", faults: []string{`TLS: "on", want true or false`}},
	{name: "files without tls", set: "TLS_CA_FILE=ca.pem TLS_CERT_FILE=cert.pem TLS_KEY_FILE=key.pem", faults: []string{
		"TLS_CA_FILE: means nothing without IMDSWATCH_TLS=true",
		"TLS_CERT_FILE: means nothing without IMDSWATCH_TLS=true",
		"TLS_KEY_FILE: means nothing without IMDSWATCH_TLS=true"}},
	{name: "files that are missing", set: "TLS=true TLS_CA_FILE=none.pem TLS_CERT_FILE=none.pem TLS_KEY_FILE=none.pem", faults: []string{
		"TLS_CA_FILE: open none.pem: no such file or directory",
		"TLS_CERT_FILE: open none.pem: no such file or directory",
		"TLS_KEY_FILE: open none.pem: no such file or directory"}},
	{name: "a folder in place of a file", set: "TLS=true TLS_CA_FILE=.", faults: []string{"TLS_CA_FILE: read .: is a directory"}},
	{name: "no PEM", set: "TLS=true TLS_CA_FILE=password TLS_CERT_FILE=password TLS_KEY_FILE=key.pem", faults: []string{
		"TLS_CA_FILE: password: no certificate in PEM",
		"TLS_CERT_FILE: password: no certificate in PEM"}},
	{name: "an empty CA file", set: "TLS=true TLS_CA_FILE=empty", faults: []string{"TLS_CA_FILE: empty: no certificate in PEM"}},
	{name: "a key in place of the CA", set: "TLS=true TLS_CA_FILE=key.pem", faults: []string{"TLS_CA_FILE: key.pem: no certificate in PEM"}},
	{name: "a password in place of the key", set: "TLS=true TLS_CERT_FILE=cert.pem TLS_KEY_FILE=password", faults: []string{
		"TLS_KEY_FILE: password: failed to find any PEM data in key input"}},
	{name: "the key of another", set: "TLS=true TLS_CERT_FILE=cert.pem TLS_KEY_FILE=other.pem", faults: []string{
		"TLS_KEY_FILE: other.pem: private key does not match public key"}},
	{name: "certificate without key", set: "TLS=true TLS_CERT_FILE=cert.pem", faults: []string{"TLS_KEY_FILE: empty, the certificate needs its key"}},
	{name: "key without certificate", set: "TLS=true TLS_KEY_FILE=key.pem", faults: []string{"TLS_CERT_FILE: empty, the key needs its certificate"}},

	{name: "plain", set: "TLS=true SASL_MECHANISM=PLAIN SASL_USERNAME=u SASL_PASSWORD=hush"},
	{name: "plain without tls", set: "SASL_MECHANISM=PLAIN SASL_USERNAME=u SASL_PASSWORD=hush",
		warned: "credentials travel in plain text: IMDSWATCH_SASL_MECHANISM without IMDSWATCH_TLS=true"},
	{name: "scram 256", set: "SASL_MECHANISM=SCRAM-SHA-256 SASL_USERNAME=u SASL_PASSWORD=hush"},
	{name: "scram 512", set: "SASL_MECHANISM=SCRAM-SHA-512 SASL_USERNAME=u SASL_PASSWORD=hush"},
	{name: "scram by files", set: "SASL_MECHANISM=SCRAM-SHA-512 SASL_USERNAME_FILE=username SASL_PASSWORD_FILE=password"},
	{name: "no such mechanism", set: "SASL_MECHANISM=GSSAPI SASL_USERNAME=u", faults: []string{
		`SASL_MECHANISM: "GSSAPI", want PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM`}},
	{name: "nobody", set: "SASL_MECHANISM=SCRAM-SHA-512", faults: []string{
		"SASL_USERNAME: empty, SCRAM-SHA-512 needs it",
		"SASL_PASSWORD: empty, SCRAM-SHA-512 needs it"}},
	{name: "no mechanism", set: "SASL_USERNAME=u SASL_PASSWORD=hush", faults: []string{
		"SASL_USERNAME: means nothing without IMDSWATCH_SASL_MECHANISM",
		"SASL_PASSWORD: means nothing without IMDSWATCH_SASL_MECHANISM"}},
	{name: "no mechanism, by files", set: "SASL_USERNAME_FILE=username SASL_PASSWORD_FILE=password", faults: []string{
		"SASL_USERNAME_FILE: means nothing without IMDSWATCH_SASL_MECHANISM",
		"SASL_PASSWORD_FILE: means nothing without IMDSWATCH_SASL_MECHANISM"}},
	{name: "of another mechanism", set: "TLS=true SASL_MECHANISM=PLAIN SASL_USERNAME=u SASL_PASSWORD=hush SASL_TOKEN_FILE=token SASL_CLIENT_SECRET=hush", faults: []string{
		"SASL_TOKEN_FILE: means nothing with PLAIN",
		"SASL_CLIENT_SECRET: means nothing with PLAIN"}},
	{name: "value and file", set: "SASL_MECHANISM=SCRAM-SHA-512 SASL_USERNAME=u SASL_USERNAME_FILE=username SASL_PASSWORD=hush SASL_PASSWORD_FILE=password", faults: []string{
		"SASL_USERNAME_FILE: given beside IMDSWATCH_SASL_USERNAME, want one of them",
		"SASL_PASSWORD_FILE: given beside IMDSWATCH_SASL_PASSWORD, want one of them"}},
	{name: "secret files that are missing or empty", set: "SASL_MECHANISM=SCRAM-SHA-512 SASL_USERNAME_FILE=none SASL_PASSWORD_FILE=empty", faults: []string{
		"SASL_USERNAME_FILE: open none: no such file or directory",
		"SASL_PASSWORD_FILE: empty is empty"}},

	{name: "token by file", set: "TLS=true SASL_MECHANISM=OAUTHBEARER SASL_TOKEN_FILE=token"},
	{name: "token file that is missing", set: "TLS=true SASL_MECHANISM=OAUTHBEARER SASL_TOKEN_FILE=none", faults: []string{
		"SASL_TOKEN_FILE: open none: no such file or directory"}},
	{name: "token by address", set: "TLS=true SASL_MECHANISM=OAUTHBEARER SASL_TOKEN_URL=https://login.example/token SASL_CLIENT_ID=u SASL_CLIENT_SECRET_FILE=password"},
	{name: "token by an open address", set: "TLS=true SASL_MECHANISM=OAUTHBEARER SASL_TOKEN_URL=http://login.example/token SASL_CLIENT_ID=u SASL_CLIENT_SECRET=hush",
		warned: "the client secret travels in plain text: IMDSWATCH_SASL_TOKEN_URL begins with http"},
	{name: "no token", set: "TLS=true SASL_MECHANISM=OAUTHBEARER", faults: []string{
		"SASL_TOKEN_URL: empty, OAUTHBEARER needs it, or else IMDSWATCH_SASL_TOKEN_FILE",
		"SASL_CLIENT_ID: empty, OAUTHBEARER needs it, or else IMDSWATCH_SASL_TOKEN_FILE",
		"SASL_CLIENT_SECRET: empty, OAUTHBEARER needs it, or else IMDSWATCH_SASL_TOKEN_FILE"}},
	{name: "two ways to a token", set: "TLS=true SASL_MECHANISM=OAUTHBEARER SASL_TOKEN_FILE=token SASL_TOKEN_URL=https://login.example SASL_CLIENT_ID=u SASL_CLIENT_SECRET=hush", faults: []string{
		"SASL_TOKEN_URL: given beside IMDSWATCH_SASL_TOKEN_FILE, want one way to a token",
		"SASL_CLIENT_ID: given beside IMDSWATCH_SASL_TOKEN_FILE, want one way to a token",
		"SASL_CLIENT_SECRET: given beside IMDSWATCH_SASL_TOKEN_FILE, want one way to a token"}},
	{name: "no address", set: "TLS=true SASL_MECHANISM=OAUTHBEARER SASL_TOKEN_URL=login.example SASL_CLIENT_ID=u SASL_CLIENT_SECRET=hush", faults: []string{
		"SASL_TOKEN_URL: no address, want one like https://login.example/oauth2/token"}},
	{name: "an address with a control character", set: "TLS=true SASL_MECHANISM=OAUTHBEARER SASL_TOKEN_URL=https://u:hush@\x7f SASL_CLIENT_ID=u SASL_CLIENT_SECRET=hush", faults: []string{
		"SASL_TOKEN_URL: no address, want one like https://login.example/oauth2/token"}},
	{name: "a password in the address", set: "TLS=true SASL_MECHANISM=OAUTHBEARER SASL_TOKEN_URL=https://u:hush@login.example SASL_CLIENT_ID=u SASL_CLIENT_SECRET=hush", faults: []string{
		"SASL_TOKEN_URL: credentials within the address, want IMDSWATCH_SASL_CLIENT_ID and IMDSWATCH_SASL_CLIENT_SECRET"}},
	{name: "client secret twice", set: "TLS=true SASL_MECHANISM=OAUTHBEARER SASL_TOKEN_URL=https://login.example SASL_CLIENT_ID=u SASL_CLIENT_SECRET=hush SASL_CLIENT_SECRET_FILE=password", faults: []string{
		"SASL_CLIENT_SECRET_FILE: given beside IMDSWATCH_SASL_CLIENT_SECRET, want one of them"}},

	{name: "msk", set: "TLS=true SASL_MECHANISM=AWS_MSK_IAM"},
	{name: "msk with a user", set: "TLS=true SASL_MECHANISM=AWS_MSK_IAM SASL_USERNAME=u", faults: []string{"SASL_USERNAME: means nothing with AWS_MSK_IAM"}},

	{name: "all faults at once", set: "TLS=true TLS_CA_FILE=none.pem TLS_CERT_FILE=cert.pem SASL_MECHANISM=PLAIN SASL_PASSWORD=hush SASL_PASSWORD_FILE=password GROUP=", faults: []string{
		"TLS_CA_FILE: open none.pem: no such file or directory",
		"TLS_KEY_FILE: empty, the certificate needs its key",
		"SASL_PASSWORD_FILE: given beside IMDSWATCH_SASL_PASSWORD, want one of them",
		"SASL_USERNAME: empty, PLAIN needs it",
		"GROUP: empty"}},
}

// connectionFiles makes the files of connections, and their folder the current
// one.
func connectionFiles(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	ca := newAuthority(t, "ca")
	cert, key := ca.issue(t, "client")
	_, other := ca.issue(t, "another")
	for name, content := range map[string][]byte{
		"ca.pem": ca.pem(), "cert.pem": cert, "key.pem": key, "other.pem": other, "empty": []byte("\n"),
		"username": []byte("u\n"), "password": []byte("hush\r\n"), "token": []byte("hush\n"),
	} {
		writeFile(t, name, content)
	}
}

// setConnection sets variables that are written NAME=value, without the prefix.
func setConnection(t *testing.T, set string) {
	t.Helper()
	setEnvironment(t)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none")) // the machine's own has no say
	for variable := range strings.FieldsSeq(set) {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(prefix+"_"+name, value)
	}
}

func TestReadConfigOfConnections(t *testing.T) {
	connectionFiles(t)
	for _, c := range connections {
		t.Run(c.name, func(t *testing.T) {
			setConnection(t, c.set)
			var stderr bytes.Buffer
			cfg, err := readConfig(&stderr)
			var got []string
			if err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			var want []string
			for _, fault := range c.faults {
				want = append(want, prefix+"_"+fault)
			}
			if !slices.Equal(got, want) {
				t.Errorf("faults\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if (c.warned == "") != (stderr.Len() == 0) || !strings.Contains(stderr.String(), c.warned) {
				t.Errorf("stderr %q, want %q", stderr.String(), c.warned)
			}
			if strings.Contains(stderr.String()+strings.Join(got, ""), "hush") {
				t.Error("the secret is out")
			}
			options := strings.Count(c.set, "TLS=true") + strings.Count(c.set, "SASL_MECHANISM=")
			if len(c.faults) == 0 && len(cfg.kafka) != options {
				t.Errorf("%d options for clients, want %d", len(cfg.kafka), options)
			}
		})
	}
}

// TestConnectionsCoverEveryVariable wants each in a configuration that is right
// and in one that is wrong because of it.
func TestConnectionsCoverEveryVariable(t *testing.T) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[ConnectionVariables]()) {
		name := variableName(field)
		right, wrong := false, false
		for _, c := range connections {
			right = right || len(c.faults) == 0 && slices.ContainsFunc(strings.Fields(c.set), func(s string) bool { return strings.HasPrefix(s, name+"=") })
			wrong = wrong || slices.ContainsFunc(c.faults, func(s string) bool { return strings.HasPrefix(s, name+": ") })
		}
		if !right || !wrong {
			t.Errorf("%s: in a right configuration: %v, in a wrong one: %v", name, right, wrong)
		}
	}
}
