package main

import (
	"context"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/aws"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"golang.org/x/oauth2"
)

// authTimeout bounds what an authentication asks of others than the broker:
// kgo waits for it as long as the client lives.
const authTimeout = 10 * time.Second

// sasl converts the variables about SASL. kgo authenticates every connection,
// and again before the time that the broker gave it is over (KIP-368); the
// functions below are called each time.
func (f *faults) sasl(v *ConnectionVariables, log *slog.Logger) []kgo.Opt {
	username := f.secret("SASL_USERNAME", v.SASLUsername, v.SASLUsernameFile)
	password := f.secret("SASL_PASSWORD", v.SASLPassword, v.SASLPasswordFile)
	token := f.secret("SASL_TOKEN", "", v.SASLTokenFile)
	client := clientTokens{url: strings.TrimSpace(v.SASLTokenURL), id: strings.TrimSpace(v.SASLClientID),
		secret: f.secret("SASL_CLIENT_SECRET", v.SASLClientSecret, v.SASLClientSecretFile)}
	mechanism := strings.TrimSpace(v.SASLMechanism)

	var needs []string
	var chosen sasl.Mechanism
	switch mechanism {
	case "PLAIN":
		needs = []string{"SASL_USERNAME", "SASL_PASSWORD"}
		chosen = plain.Plain(func(context.Context) (auth plain.Auth, err error) {
			auth.User, auth.Pass, err = both(username, password)
			return auth, err
		})
	case "SCRAM-SHA-256", "SCRAM-SHA-512":
		needs = []string{"SASL_USERNAME", "SASL_PASSWORD"}
		hash := scram.Sha256
		if mechanism == "SCRAM-SHA-512" {
			hash = scram.Sha512
		}
		chosen = hash(func(context.Context) (auth scram.Auth, err error) {
			auth.User, auth.Pass, err = both(username, password)
			return auth, err
		})
	case "OAUTHBEARER":
		if token.variable() != "" {
			needs = []string{"SASL_TOKEN_FILE"}
			chosen = oauth.Oauth(func(context.Context) (auth oauth.Auth, err error) {
				auth.Token, err = token.read()
				return auth, err
			})
			break
		}
		needs = []string{"SASL_TOKEN_URL", "SASL_CLIENT_ID", "SASL_CLIENT_SECRET"}
		f.tokenURL(client.url, log)
		tokens := oauth2.ReuseTokenSource(nil, &client)
		chosen = oauth.Oauth(func(context.Context) (oauth.Auth, error) {
			t, err := tokens.Token()
			if err != nil {
				return oauth.Auth{}, err
			}
			return oauth.Auth{Token: t.AccessToken}, nil
		})
	case "AWS_MSK_IAM":
		chosen = f.mskIAM()
	case "":
	default:
		f.add("SASL_MECHANISM", "%q, want PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM", mechanism)
		return nil
	}
	for _, s := range []struct{ name, given string }{
		{"SASL_USERNAME", username.variable()}, {"SASL_PASSWORD", password.variable()}, {"SASL_TOKEN_FILE", token.variable()},
		{"SASL_TOKEN_URL", given("SASL_TOKEN_URL", client.url)}, {"SASL_CLIENT_ID", given("SASL_CLIENT_ID", client.id)},
		{"SASL_CLIENT_SECRET", client.secret.variable()},
	} {
		switch needed := slices.Contains(needs, s.name); {
		case needed == (s.given != ""):
		case needed && mechanism == "OAUTHBEARER":
			f.add(s.name, "empty, OAUTHBEARER needs it, or else "+prefix+"_SASL_TOKEN_FILE")
		case needed:
			f.add(s.name, "empty, %s needs it", mechanism)
		case mechanism == "":
			f.add(s.given, "means nothing without "+prefix+"_SASL_MECHANISM")
		case mechanism == "OAUTHBEARER" && token.variable() != "":
			f.add(s.given, "given beside "+prefix+"_SASL_TOKEN_FILE, want one way to a token")
		default:
			f.add(s.given, "means nothing with %s", mechanism)
		}
	}
	if chosen == nil {
		return nil
	}
	if strings.TrimSpace(v.TLS) != "true" && !strings.HasPrefix(mechanism, "SCRAM") {
		log.Warn("credentials travel in plain text: "+prefix+"_SASL_MECHANISM without "+prefix+"_TLS=true", "mechanism", mechanism)
	}
	return []kgo.Opt{kgo.SASL(chosen)}
}

// given is the name of a variable, empty if its value is.
func given(name, value string) string {
	if value == "" {
		return ""
	}
	return name
}

// both reads two secrets.
func both(username, password *secret) (user, pass string, err error) {
	if user, err = username.read(); err != nil {
		return "", "", err
	}
	pass, err = password.read()
	return user, pass, err
}

// tokenURL checks an address. It is not quoted, since what is wrong with it may
// be a password within.
func (f *faults) tokenURL(address string, log *slog.Logger) {
	if address == "" {
		return
	}
	switch u, err := url.Parse(address); {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		f.add("SASL_TOKEN_URL", "no address, want one like https://login.example/oauth2/token")
	case u.User != nil:
		f.add("SASL_TOKEN_URL", "credentials within the address, want "+prefix+"_SASL_CLIENT_ID and "+prefix+"_SASL_CLIENT_SECRET")
	case u.Scheme == "http":
		log.Warn("the client secret travels in plain text: " + prefix + "_SASL_TOKEN_URL begins with http")
	}
}

// mskIAM takes credentials where AWS's own tools do: environment, shared files,
// the pod's web identity, the machine's role.
func (f *faults) mskIAM() sasl.Mechanism {
	config, err := awsconfig.LoadDefaultConfig(context.Background())
	f.check("SASL_MECHANISM", err)
	return aws.ManagedStreamingIAM(func(ctx context.Context) (aws.Auth, error) {
		ctx, cancel := context.WithTimeout(ctx, authTimeout)
		defer cancel()
		c, err := config.Credentials.Retrieve(ctx) // the SDK keeps them until they expire
		return aws.Auth{AccessKey: c.AccessKeyID, SecretKey: c.SecretAccessKey, SessionToken: c.SessionToken, UserAgent: "imdswatch/" + version}, err
	})
}
