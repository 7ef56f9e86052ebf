package lambdaapi

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/lambdaapi/sigv4"
)

const (
	// downloadPath is followed by a function's name and a package's SHA-256 in
	// hexadecimal.
	downloadPath = "/hearth/v1/code/"
	// linkExpires is how long a Code.Location can be used, as on AWS.
	linkExpires = 10 * time.Minute
)

// downloadLink is a presigned URL for the package of a function. It is signed
// by a key of the function's account, so that it works on every node and ends
// with that key.
func (c *call) downloadLink(of function.Key, codeSHA256 string) (string, error) {
	sum, err := base64.StdEncoding.DecodeString(codeSHA256)
	if err != nil {
		return "", fmt.Errorf("the digest of %s's code: %w", of.Name, err)
	}
	key, ok := c.activeKey(of.Account)
	if !ok {
		return "", refuse(resourceConflict, "Account %s has no active access key to sign a download link with.", of.Account)
	}
	base := strings.TrimSuffix(c.opts.PublicURL, "/")
	if base == "" {
		scheme := "http://"
		if c.request.TLS != nil {
			scheme = "https://"
		}
		base = scheme + c.request.Host
	}
	r, err := http.NewRequestWithContext(c.ctx, http.MethodGet, base+downloadPath+of.Name+"/"+hex.EncodeToString(sum), nil)
	if err != nil {
		return "", fmt.Errorf("make a download link: %w", err)
	}
	return sigv4.Presign(r, key, c.opts.Region, "lambda", c.now(), linkExpires).String(), nil
}

func (c *call) activeKey(of account.ID) (account.Key, bool) {
	for _, k := range c.opts.Accounts.Keys(of) {
		if full, ok := c.opts.Accounts.Lookup(k.AccessKeyID); ok {
			return full, true
		}
	}
	return account.Key{}, false
}

// now is the clock of links: the one they will be checked by.
func (a *API) now() time.Time {
	if a.verifier.Now != nil {
		return a.verifier.Now()
	}
	return time.Now()
}

// download serves a package to the account that signed the link, which must
// have a function made of it: knowing a digest is not enough.
func (a *API) download(w http.ResponseWriter, r *http.Request, caller account.ID, link string) error {
	name, digest, _ := strings.Cut(link, "/")
	sum, err := hex.DecodeString(digest)
	if r.Method != http.MethodGet || err != nil {
		return unknownOperation(r.Method, r.URL.Path)
	}
	sha := base64.StdEncoding.EncodeToString(sum)
	view, err := a.opts.Catalog.Get(function.Key{Account: caller, Name: name})
	if err != nil {
		return err
	}
	size, ok := packageOf(view, sha)
	if !ok {
		return refuse(resourceNotFound, "No version of %s is made of this package.", view.ARN)
	}
	zip, err := a.opts.CodeStore.Get(r.Context(), sha)
	if err != nil {
		return err
	}
	defer zip.Close()
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="`+name+`.zip"`)
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	if _, err := io.Copy(w, zip); err != nil {
		a.log.Warn("a download was cut short", "function", view.ARN, "error", err)
		panic(http.ErrAbortHandler) // the client must see that something is missing
	}
	return nil
}

// packageOf returns the size of a package that one of the function's revisions
// is made of.
func packageOf(v *function.View, sha string) (size int64, ok bool) {
	revisions := []*function.Revision{v.Wanted, v.Serving}
	for _, version := range v.Versions {
		revisions = append(revisions, &version.Revision)
	}
	for _, rev := range revisions {
		if rev != nil && rev.CodeSHA256 == sha {
			return rev.CodeSize, true
		}
	}
	return 0, false
}
