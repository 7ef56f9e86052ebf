package sigv4

import (
	"strconv"
	"testing"
)

// Whoever holds a key may sign for any region: that must not cost memory
// without end.
func TestKeyCacheIsBounded(t *testing.T) {
	var c keyCache
	for i := range 2*maxKeys + 7 {
		s := scope{accessKeyID: "id", date: "20261123", region: strconv.Itoa(i), service: "lambda"}
		c.put(newSigningKey(&s, "secret"))
		if _, ok := c.get(&s, "secret"); !ok {
			t.Fatal("not kept")
		}
		if len(c.keys) > maxKeys {
			t.Fatalf("%d keys, at most %d", len(c.keys), maxKeys)
		}
	}
}
