package account

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// masterKeyBytes is for AES-256.
const masterKeyBytes = 32

// sealer encrypts secrets at rest: AES-256-GCM with a random nonce, bound to
// the name of what is sealed, so that one can't be put in another's place.
type sealer struct{ aead cipher.AEAD }

// openSealer reads the master key, or makes one where there was none before.
func openSealer(path string, first bool) (*sealer, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !first {
			return nil, fmt.Errorf("%w: %s is missing, and secrets are sealed with it; restore it from a backup, or copy it from another node", ErrMasterKey, path)
		}
		key = make([]byte, masterKeyBytes)
		_, _ = rand.Read(key) // it never fails
		err = writeFile(path, key)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMasterKey, err)
	}
	if len(key) != masterKeyBytes {
		return nil, fmt.Errorf("%w: %s has %d bytes and must have %d; restore it from a backup, or copy it from another node", ErrMasterKey, path, len(key), masterKeyBytes)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMasterKey, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMasterKey, err)
	}
	return &sealer{aead}, nil
}

func (s *sealer) close(secret, name string) []byte {
	return s.aead.Seal(nil, nil, []byte(secret), []byte(name))
}

func (s *sealer) open(sealed []byte, name string) (string, error) {
	secret, err := s.aead.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return "", fmt.Errorf("%w: the secret was sealed with another one, or is damaged", ErrMasterKey)
	}
	return string(secret), nil
}

// Seal encrypts what another room wants to keep in state, with the master key.
// It opens under the same name only, which begins with what it is, so that it
// is never that of something else ("environment/…").
func (r *Registry) Seal(secret []byte, name string) []byte {
	return r.seal.aead.Seal(nil, nil, secret, []byte(name))
}

// Unseal is the inverse of Seal. It fails with ErrMasterKey.
func (r *Registry) Unseal(sealed []byte, name string) ([]byte, error) {
	secret, err := r.seal.open(sealed, name)
	return []byte(secret), err
}
