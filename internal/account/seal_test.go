package account

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// What was sealed under a name opens under that name, as it was, and not at all
// when a bit of it or of the name is different.
func TestSeal(t *testing.T) {
	s, err := openSealer(t.TempDir()+"/master.key", true)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		secret, name := rapid.String().Draw(t, "secret"), rapid.String().Draw(t, "name")
		sealed := s.close(secret, name)
		if got, err := s.open(sealed, name); err != nil || got != secret {
			t.Fatalf("open = %q, %v", got, err)
		}
		if got, err := s.open(sealed, name+"x"); !errors.Is(err, ErrMasterKey) {
			t.Errorf("under another name: %q, %v", got, err)
		}
		if got, err := s.open(sealed[:rapid.IntRange(0, len(sealed)-1).Draw(t, "length")], name); !errors.Is(err, ErrMasterKey) {
			t.Errorf("cut short: %q, %v", got, err)
		}
		sealed[rapid.IntRange(0, len(sealed)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if got, err := s.open(sealed, name); !errors.Is(err, ErrMasterKey) {
			t.Errorf("changed: %q, %v", got, err)
		}
	})
}
