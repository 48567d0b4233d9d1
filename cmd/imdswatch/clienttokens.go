package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// clientTokens asks an authorization server for tokens by client credentials
// (RFC 6749, 4.4). It is an oauth2.TokenSource.
type clientTokens struct {
	url, id string
	secret  *secret
}

// Token asks for a token, with the secret as it is now.
func (c *clientTokens) Token() (*oauth2.Token, error) {
	secret, err := c.secret.read()
	if err != nil {
		return nil, err
	}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Timeout: authTimeout})
	config := clientcredentials.Config{ClientID: c.id, ClientSecret: secret, TokenURL: c.url}
	token, err := config.Token(ctx)
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		// Its own text has the whole answer, which may repeat the request.
		return nil, fmt.Errorf("%s_SASL_TOKEN_URL: %s answers %s %s", prefix, c.url, refused.Response.Status, refused.ErrorCode)
	}
	if err != nil {
		return nil, fmt.Errorf("%s_SASL_TOKEN_URL: %w", prefix, err)
	}
	return token, nil
}
