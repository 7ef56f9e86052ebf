package testnode

import (
	"context"
	"net/http"
)

// CreateAccount makes another account and returns its number and first key.
func (n *Node) CreateAccount(ctx context.Context, name string) (string, Credentials, error) {
	var made struct {
		ID  string
		Key Credentials
	}
	err := n.Native(ctx, n.Root, http.MethodPost, "/hearth/v1/accounts", map[string]string{"name": name}, &made)
	return made.ID, made.Key, err
}

// LimitAccount sets how many invocations an account may run at once.
func (n *Node) LimitAccount(ctx context.Context, account string, concurrency int) error {
	return n.Native(ctx, n.Root, http.MethodPut, "/hearth/v1/accounts/"+account+"/concurrency", map[string]int{"concurrency": concurrency}, nil)
}

// DeleteKey takes back an access key.
func (n *Node) DeleteKey(ctx context.Context, account string, key Credentials) error {
	return n.Native(ctx, n.Root, http.MethodDelete, "/hearth/v1/accounts/"+account+"/keys/"+key.AccessKeyID, nil, nil)
}
