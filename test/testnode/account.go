package testnode

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
)

// CreateAccount makes another account, by the hearth command as the operator
// would, and returns its number and first key.
func (n *Node) CreateAccount(ctx context.Context, name string) (string, Credentials, error) {
	out, err := n.Hearth(ctx, n.Root, "account", "create", name, "--json")
	if err != nil {
		return "", Credentials{}, err
	}
	var made struct {
		Account struct {
			ID string `json:"id"`
		} `json:"account"`
		Key Credentials `json:"key"`
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return "", Credentials{}, fmt.Errorf("hearth account create: %w: %s", err, out)
	}
	return made.Account.ID, made.Key, nil
}

// Hearth runs the hearth command against the node with the given key and
// returns what it printed.
func (n *Node) Hearth(ctx context.Context, c Credentials, args ...string) ([]byte, error) {
	binary, err := Binary()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, binary, args...)
	command.Env = append(command.Environ(), n.Environ(c)...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("hearth %v: %w: %s", args, err, stderr.Bytes())
	}
	return stdout.Bytes(), nil
}
