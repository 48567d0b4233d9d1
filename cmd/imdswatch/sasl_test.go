package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
)

// refused is what a fake broker does with a wrong password: it hangs up. Kafka
// answers SASL_AUTHENTICATION_FAILED, see hack/secure.
const refused = "EOF"

func TestPasswords(t *testing.T) {
	connectionFiles(t)
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		cluster, _ := fake(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "u", "hush"))
		for _, test := range []struct{ name, set, want string }{
			{"right", "SASL_MECHANISM=" + mechanism + " SASL_USERNAME=u SASL_PASSWORD=hush", ""},
			{"right by files", "SASL_MECHANISM=" + mechanism + " SASL_USERNAME_FILE=username SASL_PASSWORD_FILE=password", ""},
			{"wrong password", "SASL_MECHANISM=" + mechanism + " SASL_USERNAME=u SASL_PASSWORD=hash", refused},
			{"wrong user", "SASL_MECHANISM=" + mechanism + " SASL_USERNAME=v SASL_PASSWORD=hush", refused},
			{"none", "", "is SASL missing"},
		} {
			t.Run(mechanism+"/"+test.name, func(t *testing.T) {
				comes(t, connect(t, cluster, &shared{}, test.set), test.want)
			})
		}
	}
}

func TestMechanismThatTheBrokerDoesNotHave(t *testing.T) {
	connectionFiles(t)
	cluster, _ := fake(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "hush"))
	comes(t, connect(t, cluster, &shared{}, "SASL_MECHANISM=OAUTHBEARER SASL_TOKEN_FILE=token"), "UNSUPPORTED_SASL_MECHANISM")
}

func TestSASLOverMutualTLS(t *testing.T) {
	connectionFiles(t)
	ca := newAuthority(t, "ca")
	cert, key := ca.issue(t, "one")
	writeFile(t, "ca.pem", ca.pem())
	writeFile(t, "cert.pem", cert)
	writeFile(t, "key.pem", key)
	d := &door{}
	d.set(t, ca, ca)
	cluster, _ := fake(t, kfake.TLS(d.tls()), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "u", "hush"))
	comes(t, connect(t, cluster, &shared{}, mutual+" SASL_MECHANISM=SCRAM-SHA-512 SASL_USERNAME=u SASL_PASSWORD=hush"), "")
}

func TestRotatedPasswordIsTakenWithoutRestart(t *testing.T) {
	connectionFiles(t)
	cluster, wire := fake(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "u", "hush"), kfake.Superuser("SCRAM-SHA-256", "admin", "hush"))
	client := connect(t, cluster, &shared{}, "SASL_MECHANISM=SCRAM-SHA-512 SASL_USERNAME=u SASL_PASSWORD_FILE=password")
	comes(t, client, "")
	admin := kadm.NewClient(connect(t, cluster, &shared{}, "SASL_MECHANISM=SCRAM-SHA-256 SASL_USERNAME=admin SASL_PASSWORD=hush"))
	_, err := admin.AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{{User: "u", Mechanism: kadm.ScramSha512, Iterations: 4096, Password: "quiet"}})
	if err != nil {
		t.Fatal(err)
	}
	wire.cut()
	comes(t, client, refused)
	writeFile(t, "password", nil) // half written
	comes(t, client, "IMDSWATCH_SASL_PASSWORD_FILE: password is empty")
	writeFile(t, "password", []byte("quiet\n"))
	comes(t, client, "")
}

// tokenServer is an authorization server that gives numbered tokens.
type tokenServer struct {
	*httptest.Server
	mu     sync.Mutex
	secret string
	lives  time.Duration // of a token
	given  int
}

func newTokenServer(t *testing.T) *tokenServer {
	t.Helper()
	s := &tokenServer{secret: "hush", lives: time.Hour}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.Close)
	return s
}

func (s *tokenServer) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	w.Header().Set("Content-Type", "application/json")
	if r.FormValue("grant_type") != "client_credentials" || id != "u" || secret != s.secret {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":"invalid_client","error_description":"no client has the secret %s"}`, secret)
		return
	}
	s.given++
	fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"Bearer","expires_in":%d}`, s.given, int(s.lives.Seconds()))
}

// set changes what the server does.
func (s *tokenServer) set(secret string, lives time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret, s.lives = secret, lives
}

// mechanism is how a client by the environment authenticates.
func mechanism(t *testing.T, set string) sasl.Mechanism {
	t.Helper()
	setConnection(t, set)
	cfg, err := readConfig(&shared{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(cfg.kafka...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client.OptValue(kgo.SASL).([]sasl.Mechanism)[0]
}

// bears wants the next authentication to bear a token, or an error.
func bears(t *testing.T, m sasl.Mechanism, token, fault string) {
	t.Helper()
	_, message, err := m.Authenticate(t.Context(), "b:9092")
	if want := "n,,\x01auth=Bearer " + token + "\x01\x01"; fault == "" && (err != nil || string(message) != want) {
		t.Errorf("message %q, error %v, want %q", message, err, want)
	}
	if fault != "" && (err == nil || err.Error() != fault) {
		t.Errorf("error %v, want %s", err, fault)
	}
}

func TestTokenFile(t *testing.T) {
	connectionFiles(t)
	m := mechanism(t, "SASL_MECHANISM=OAUTHBEARER SASL_TOKEN_FILE=token")
	bears(t, m, "hush", "")
	writeFile(t, "token", []byte("next"))
	bears(t, m, "next", "")
	writeFile(t, "token", nil)
	bears(t, m, "", "IMDSWATCH_SASL_TOKEN_FILE: token is empty")
}

func TestTokensByClientCredentials(t *testing.T) {
	connectionFiles(t)
	server := newTokenServer(t)
	m := mechanism(t, "SASL_MECHANISM=OAUTHBEARER SASL_CLIENT_ID=u SASL_CLIENT_SECRET_FILE=password SASL_TOKEN_URL="+server.URL)
	server.set("hush", time.Second) // over before it can be used
	bears(t, m, "token-1", "")
	server.set("hush", time.Hour)
	bears(t, m, "token-2", "") // a new one
	bears(t, m, "token-2", "") // which stays as long as it is good

	m = mechanism(t, "SASL_MECHANISM=OAUTHBEARER SASL_CLIENT_ID=u SASL_CLIENT_SECRET_FILE=password SASL_TOKEN_URL="+server.URL)
	server.set("quiet", time.Hour)
	bears(t, m, "", "IMDSWATCH_SASL_TOKEN_URL: "+server.URL+" answers 401 Unauthorized invalid_client") // and not the secret, which the server repeats
	writeFile(t, "password", []byte("quiet\n"))
	bears(t, m, "token-3", "")
}

func TestTokenServerThatIsGone(t *testing.T) {
	connectionFiles(t)
	server := newTokenServer(t)
	m := mechanism(t, "SASL_MECHANISM=OAUTHBEARER SASL_CLIENT_ID=u SASL_CLIENT_SECRET=hush SASL_TOKEN_URL="+server.URL)
	server.Close()
	_, _, err := m.Authenticate(t.Context(), "b:9092")
	if err == nil || !strings.HasPrefix(err.Error(), "IMDSWATCH_SASL_TOKEN_URL: ") || strings.Contains(err.Error(), "hush") {
		t.Errorf("error %v, want one that names the variable and not the secret", err)
	}
}

// TestMSKIAM holds the message of AWS_MSK_IAM against AWS's own signer. No server
// of AWS was asked: that MSK takes the message is franz-go's word.
func TestMSKIAM(t *testing.T) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_SESSION_TOKEN": "session"} {
		t.Setenv(name, value)
	}
	const host = "b-1.example.kafka.eu-central-1.amazonaws.com"
	m := mechanism(t, "TLS=true SASL_MECHANISM=AWS_MSK_IAM")
	_, message, err := m.Authenticate(t.Context(), host+":9098")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(message, &got); err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse("20060102T150405Z", got["x-amz-date"])
	if err != nil {
		t.Fatal(err)
	}
	// https://github.com/aws/aws-msk-iam-auth#details
	request, err := http.NewRequest(http.MethodGet, "https://"+host+"/?Action=kafka-cluster%3AConnect&X-Amz-Expires=300", nil)
	if err != nil {
		t.Fatal(err)
	}
	const emptyBody = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // its SHA-256
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "hush", SessionToken: "session"},
		request, emptyBody, "kafka-cluster", "eu-central-1", at)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"host": host, "version": "2020_10_22", "user-agent": "imdswatch/dev"}
	for name, values := range u.Query() {
		want[strings.ToLower(name)] = values[0]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if strings.Contains(string(message), "hush") {
		t.Error("the secret key is sent")
	}
}

func TestRunReachesBrokersThatAskForAPassword(t *testing.T) {
	connectionFiles(t)
	cluster, _ := fake(t, kfake.SeedTopics(1, strings.Split(runTopics, ",")...), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "u", "hush"))
	p := startRun(t, cluster.ListenAddrs(), "IMDSWATCH_SASL_MECHANISM=SCRAM-SHA-512", "IMDSWATCH_SASL_USERNAME=u", "IMDSWATCH_SASL_PASSWORD=hush")
	ready(t, p.url(t))
}
