package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// token is an unsecured JWS (RFC 7515, appendix A.5): Kafka's validator for
// tests takes its subject and its end, and no signature.
func token(subject string, lives time.Duration) string {
	now := time.Now()
	claims := fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d,"scope":"kafka"}`, subject, now.Unix(), now.Add(lives).Unix())
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "."
}

// tokenServer is an authorization server for one client.
type tokenServer struct {
	*httptest.Server
	client string
	lives  time.Duration

	mu     sync.Mutex
	secret string
	given  int // tokens since the secret was set
}

func newTokenServer(client, secret string, lives time.Duration) *tokenServer {
	s := &tokenServer{client: client, secret: secret, lives: lives}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	return s
}

func (s *tokenServer) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if client, secret, _ := r.BasicAuth(); client != s.client || secret != s.secret {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"invalid_client"}`)
		return
	}
	s.given++
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%d}`, token(s.client, s.lives), int(s.lives.Seconds()))
}

func (s *tokenServer) rotate(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secret, s.given = secret, 0
}

// gave is how many tokens were given since the last rotation.
func (s *tokenServer) gave() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given
}
