package account

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
)

// AWS's own tools read the file, and nobody but its owner.
func TestWriteCredentials(t *testing.T) {
	dir := t.TempDir()
	file := dir + "/credentials"
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	k := Key{AccessKeyID: newAccessKeyID(), Secret: newSecret()}
	if err := WriteCredentials(file, k, "us-east-1"); err != nil {
		t.Fatal(err)
	}
	profile, err := config.LoadSharedConfigProfile(t.Context(), "default", func(o *config.LoadSharedConfigOptions) {
		o.CredentialsFiles, o.ConfigFiles = []string{file}, []string{}
	})
	if err != nil {
		t.Fatal(err)
	}
	if c := profile.Credentials; c.AccessKeyID != k.AccessKeyID || c.SecretAccessKey != k.Secret || profile.Region != "us-east-1" {
		t.Errorf("read %+v", profile)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	if err := WriteCredentials(dir+"/none/credentials", k, "us-east-1"); err == nil {
		t.Error("a directory that is not there: no error")
	}
}
