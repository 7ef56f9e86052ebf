package node

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hearthd/hearth/bench/load"
)

// Call makes one request to Lambda's or Hearth's own API.
func (n *Node) Call(method, path string, body []byte, answer any) (int, error) {
	c, err := n.connection()
	if err != nil {
		return 0, err
	}
	status, err := c.Do(n.Key.Sign(load.Request{Method: method, Path: path, Host: n.Addr, Body: body}, time.Now()))
	if err != nil {
		return 0, err
	}
	if status >= 300 {
		return status, fmt.Errorf("%s %s: %d %s", method, path, status, c.Body)
	}
	if answer != nil {
		err = json.Unmarshal(c.Body, answer)
	}
	return status, err
}

// Environments counts the node's environments by what pick says of each.
func (n *Node) Environments(pick func(Environment) bool) (int, error) {
	var ps struct {
		Instances []struct{ Environments []Environment }
	}
	if _, err := n.Call("GET", "/hearth/v1/ps", nil, &ps); err != nil {
		return 0, err
	}
	count := 0
	for _, i := range ps.Instances {
		for _, e := range i.Environments {
			if pick(e) {
				count++
			}
		}
	}
	return count, nil
}

// Environment is what `hearth ps` tells of one.
type Environment struct {
	Runtime, Function, State string
	MemoryMB                 int
	UsedBytes                int64
}

// Interpreter returns the newest runtime of a language on the node, and the
// binary that serves it.
func (n *Node) Interpreter(family string) (name, path string, err error) {
	var answer struct {
		Runtimes []struct{ Name, Family, Path string } // oldest first
	}
	if _, err := n.Call("GET", "/hearth/v1/runtimes", nil, &answer); err != nil {
		return "", "", err
	}
	for _, r := range slices.Backward(answer.Runtimes) {
		if strings.EqualFold(r.Family, family) {
			return r.Name, r.Path, nil
		}
	}
	return "", "", fmt.Errorf("the node has no %s", family)
}
