package account

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WriteCredentials writes a key in the AWS shared-credentials format, profile
// default, readable by its owner only, in the place of whatever the file was.
func WriteCredentials(path string, k Key, region string) error {
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\nregion = %s\n", k.AccessKeyID, k.Secret, region)
	if err := writeFile(path, []byte(text)); err != nil {
		return fmt.Errorf("write credentials: %w", err)
	}
	return nil
}

// writeFile leaves the old file or the new one, whole, whatever happens. When
// it returns nil the new one is on the disk, where only its owner may read it.
func writeFile(path string, content []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // mode 0600
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
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
