package code

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// verified reads an archive and answers its end with an error instead of
// io.EOF when it is not the one that was asked for.
type verified struct {
	io.ReadCloser
	hash hash.Hash
	want string
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	v.hash.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if got := hex.EncodeToString(v.hash.Sum(nil)); got != v.want {
			return n, fmt.Errorf("package %s is damaged in the store: its digest is %s", v.want, got)
		}
	}
	return n, err
}
