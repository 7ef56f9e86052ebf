package e2e

import (
	"crypto/md5" //nolint:gosec // S3's ETag
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// bucketServer is as much of S3 as serves objects: GET and HEAD of
// /bucket/key, with versions, for signed requests.
type bucketServer struct {
	*httptest.Server

	mu      sync.Mutex
	objects map[string][]byte // by bucket/key, and bucket/key?versionId=…
}

const (
	bucketKey    = "AKIABUCKETBUCKETBUCK"
	bucketSecret = "bucketbucketbucketbucketbucketbucketbuck"
)

func newBucketServer() *bucketServer {
	b := &bucketServer{objects: map[string][]byte{}}
	b.Server = httptest.NewServer(b)
	return b
}

// serveArgs tell hearth serve where the buckets are.
func (b *bucketServer) serveArgs() []string {
	return []string{"--s3-endpoint", b.URL, "--s3-access-key-id", bucketKey, "--s3-secret-access-key", bucketSecret}
}

// put stores an object; version may be "".
func (b *bucketServer) put(bucket, key, version string, content []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	name := bucket + "/" + key
	if version != "" {
		name += "?versionId=" + version
	}
	b.objects[name] = content
}

func (b *bucketServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Authorization"), "Credential="+bucketKey+"/") {
		answerS3(w, http.StatusForbidden, "InvalidAccessKeyId")
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if v := r.URL.Query().Get("versionId"); v != "" {
		name += "?versionId=" + v
	}
	b.mu.Lock()
	content, ok := b.objects[name]
	b.mu.Unlock()
	if !ok {
		answerS3(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	sum := md5.Sum(content) //nolint:gosec // as above
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(content)
	}
}

func answerS3(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>no</Message></Error>", code)
}
