package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"strings"
	"sync"
)

// maxKeys bounds the cache. A key is good for a day, a region and a service;
// this many stand for more clients than a node has, and what is dropped costs
// five HMACs to make again.
const maxKeys = 4096

// signingKey signs strings for one scope.
type signingKey struct {
	scope  scope
	secret string    // it was derived from
	macs   sync.Pool // of hash.Hash, keyed: setting one up costs as much as using it
}

// newSigningKey derives the key of a scope.
func newSigningKey(c *scope, secret string) *signingKey {
	k := &signingKey{scope: scope{
		// Not parts of the request that asked first, which they would keep alive.
		accessKeyID: strings.Clone(c.accessKeyID), date: strings.Clone(c.date),
		region: strings.Clone(c.region), service: strings.Clone(c.service),
	}, secret: secret}
	key := []byte("AWS4" + secret)
	for _, part := range [...]string{c.date, c.region, c.service, terminator} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	k.macs.New = func() any { return hmac.New(sha256.New, key) }
	return k
}

// sign appends the HMAC-SHA256 of a string.
func (k *signingKey) sign(b, text []byte) []byte {
	mac := k.macs.Get().(hash.Hash)
	defer k.macs.Put(mac)
	mac.Reset()
	mac.Write(text)
	return mac.Sum(b)
}

// keyCache keeps signing keys, so that a busy client's are derived once a day.
// The zero value is empty and ready.
type keyCache struct {
	mu   sync.RWMutex
	keys map[scope]*signingKey // guarded by mu
}

// get returns the key of a scope, if it was derived from this secret.
func (c *keyCache) get(s *scope, secret string) (*signingKey, bool) {
	c.mu.RLock()
	k := c.keys[*s]
	c.mu.RUnlock()
	if k == nil || k.secret != secret { // both are ours: no need for constant time
		return nil, false
	}
	return k, true
}

func (c *keyCache) put(k *signingKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil || len(c.keys) >= maxKeys {
		// Yesterday's keys go with the rest: simpler than knowing which they are.
		c.keys = make(map[scope]*signingKey)
	}
	c.keys[k.scope] = k
}
