package node

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/hearthd/hearth/bench/load"
)

// Function is what is deployed.
type Function struct {
	Name, Runtime, Handler string
	Memory                 int
	Zip                    []byte
	Environment, Tags      map[string]string
}

// Functions is the path of Lambda's functions.
const Functions = "/2015-03-31/functions"

// Create is the body of a CreateFunction.
func (f Function) Create() []byte {
	arch := map[string]string{"amd64": "x86_64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	b, err := json.Marshal(map[string]any{
		"FunctionName": f.Name, "Runtime": f.Runtime, "Handler": f.Handler, "MemorySize": f.Memory, "Timeout": 60,
		"Role": "arn:aws:iam::123456789012:role/bench", "Architectures": []string{arch},
		"Code":        map[string]any{"ZipFile": base64.StdEncoding.EncodeToString(f.Zip)},
		"Environment": map[string]any{"Variables": f.Environment},
		"Tags":        f.Tags,
	})
	if err != nil {
		panic(err) // strings and numbers
	}
	return b
}

// Deploy creates functions and waits until they take invocations.
func (n *Node) Deploy(ctx context.Context, list ...Function) error {
	requests := make([]load.Request, len(list))
	for i, f := range list {
		requests[i] = load.Request{Method: "POST", Path: Functions, Host: n.Addr, Body: f.Create()}
	}
	res, err := load.Run(ctx, load.Options{Key: n.Key, Addr: n.Addr, Clients: min(8, len(list)), Requests: requests, Want: http.StatusCreated})
	if err == nil {
		err = res.Check()
	}
	if err != nil {
		return err
	}
	for _, f := range list {
		if err := n.Active(ctx, f.Name); err != nil {
			return err
		}
	}
	return nil
}

// Active waits until a function takes invocations.
func (n *Node) Active(ctx context.Context, name string) error {
	return n.Until(ctx, "activate "+name, func() (bool, error) {
		var c struct{ State, StateReason string }
		if _, err := n.Call("GET", Functions+"/"+name+"/configuration", nil, &c); err != nil {
			return false, err
		}
		if c.State == "Failed" {
			return false, errors.New(c.StateReason)
		}
		return c.State == "Active", nil
	})
}

// Delete deletes a function.
func (n *Node) Delete(name string) error {
	_, err := n.Call("DELETE", Functions+"/"+name, nil, nil)
	return err
}

// Invocation is a request to invoke a function. The host is not the real one,
// so that the same bytes go to any address.
func Invocation(name string, payload []byte) load.Request {
	return load.Request{Method: "POST", Path: Functions + "/" + name + "/invocations", Host: "lambda.local", Body: payload}
}

// Invoke invokes a function once and returns what the client waited.
func (n *Node) Invoke(name string, payload []byte) (time.Duration, error) {
	c, err := n.connection()
	if err != nil {
		return 0, err
	}
	b := n.Key.Sign(Invocation(name, payload), time.Now())
	begin := time.Now()
	status, err := c.Do(b)
	took := time.Since(begin)
	switch {
	case err != nil:
		return 0, err
	case status != http.StatusOK || c.FunctionError:
		return 0, fmt.Errorf("invoke %s: %d %s", name, status, c.Body)
	}
	return took, nil
}

// Zip makes a package of files, by name, which may all be executed.
func Zip(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(0o755)
		w, err := z.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
