package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"
)

// Account is a tenant of the node.
type Account struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Root        bool      `json:"root,omitempty"`
	Created     time.Time `json:"created"`
	Concurrency int       `json:"concurrency"`
}

// Key is an access key; the secret is there only when it was just made.
type Key struct {
	AccessKeyID string    `json:"accessKeyId"`
	Secret      string    `json:"secretAccessKey,omitempty"`
	Active      bool      `json:"active"`
	Created     time.Time `json:"created"`
}

// NewAccount is an account with its first key.
type NewAccount struct {
	Account
	Key Key `json:"key"`
}

const accountsPath = "/hearth/v1/accounts"

// Accounts lists all accounts. Like everything about accounts it is for the
// root account.
func (c *Client) Accounts(ctx context.Context) ([]Account, error) {
	var list struct {
		Accounts []Account `json:"accounts"`
	}
	return list.Accounts, c.call(ctx, http.MethodGet, accountsPath, nil, &list)
}

// CreateAccount makes an account and a key of it.
func (c *Client) CreateAccount(ctx context.Context, name string) (*NewAccount, error) {
	var made NewAccount
	return &made, c.call(ctx, http.MethodPost, accountsPath, map[string]string{"name": name}, &made)
}

// SetConcurrency sets how many invocations of an account may run at once.
func (c *Client) SetConcurrency(ctx context.Context, account string, n int) error {
	path, err := c.accountPath(ctx, account, "concurrency")
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPut, path, map[string]int{"concurrency": n}, nil)
}

// Keys lists an account's keys, without their secrets.
func (c *Client) Keys(ctx context.Context, account string) ([]Key, error) {
	path, err := c.accountPath(ctx, account, "keys")
	if err != nil {
		return nil, err
	}
	var list struct {
		Keys []Key `json:"keys"`
	}
	return list.Keys, c.call(ctx, http.MethodGet, path, nil, &list)
}

// CreateKey makes another key for an account.
func (c *Client) CreateKey(ctx context.Context, account string) (*Key, error) {
	path, err := c.accountPath(ctx, account, "keys")
	if err != nil {
		return nil, err
	}
	var made Key
	return &made, c.call(ctx, http.MethodPost, path, nil, &made)
}

// DeleteKey deletes a key: what is signed with it is refused from now on.
func (c *Client) DeleteKey(ctx context.Context, account, accessKeyID string) error {
	path, err := c.accountPath(ctx, account, "keys")
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodDelete, path+"/"+url.PathEscape(accessKeyID), nil, nil)
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// accountPath makes the path of something of an account, which may be given by
// its number or its name.
func (c *Client) accountPath(ctx context.Context, account, what string) (string, error) {
	if accountID.MatchString(account) {
		return accountsPath + "/" + account + "/" + what, nil
	}
	all, err := c.Accounts(ctx)
	if err != nil {
		return "", err
	}
	var names []string
	for _, a := range all {
		if a.Name == account {
			return accountsPath + "/" + a.ID + "/" + what, nil
		}
		names = append(names, a.Name)
	}
	return "", fmt.Errorf("there is no account %s%s", account, didYouMean(account, names))
}
