package account

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// sealer encrypts secrets at rest: AES-256-GCM with a random nonce, bound to
// the name of what is sealed, so that one can't be put in another's place.
type sealer struct{ aead cipher.AEAD }

// openSealer reads the key, making it when there is none.
func openSealer(path string) (*sealer, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, 32)
		rand.Read(key) //nolint:errcheck // it never fails
		err = writeAtomically(path, key)
	}
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if len(key) != 32 {
		return nil, fmt.Errorf("master key: %s has %d bytes and must have 32; restore it from a backup, the secrets in the state can't be read without it", path, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	return &sealer{aead}, nil
}

func (s *sealer) close(secret, name string) []byte {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(secret)+s.aead.Overhead())
	rand.Read(nonce) //nolint:errcheck // it never fails
	return s.aead.Seal(nonce, nonce, []byte(secret), []byte(name))
}

func (s *sealer) open(sealed []byte, name string) (string, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return "", errors.New("the sealed secret is cut short")
	}
	secret, err := s.aead.Open(nil, sealed[:n], sealed[n:], []byte(name))
	if err != nil {
		return "", errors.New("the secret was sealed with another master key")
	}
	return string(secret), nil
}

// WriteCredentials writes a key in the AWS shared-credentials format, profile
// default, readable by its owner only.
func WriteCredentials(path string, k Key, region string) error {
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\nregion = %s\n", k.AccessKeyID, k.Secret, region)
	if err := writeAtomically(path, []byte(text)); err != nil {
		return fmt.Errorf("write credentials: %w", err)
	}
	return nil
}

// writeAtomically leaves the old file or the new one, on disk, whatever happens.
func writeAtomically(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
