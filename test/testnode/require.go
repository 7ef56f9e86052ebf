package testnode

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A Need is something that a test cannot do without. It returns an error that
// says what is missing.
type Need func() error

// Require skips the test where a need is not met, or fails it when
// HEARTH_TEST_TOOLS=required promises that all are.
func Require(tb testing.TB, needs ...Need) {
	tb.Helper()
	for _, need := range needs {
		if err := need(); err != nil {
			if os.Getenv("HEARTH_TEST_TOOLS") == "required" {
				tb.Fatalf("%v (run test/tools/install)", err)
			}
			tb.Skipf("%v (`make test` installs what the tests need)", err)
		}
	}
}

// Root is needed by everything that makes sandboxes.
func Root() error {
	if os.Geteuid() != 0 {
		return errors.New("sandboxes need root")
	}
	return nil
}

// Command needs a program on PATH.
func Command(name string) Need {
	return func() error {
		_, err := exec.LookPath(name)
		return err
	}
}

// NodeSDK needs the AWS SDK for JavaScript.
func NodeSDK() error {
	_, err := NPM("sdk", "@aws-sdk/client-lambda")
	return err
}

// NPM is the directory of a package that test/tools/install put under .cache.
func NPM(set, name string) (string, error) {
	root, err := Repository()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, ".cache", set, "node_modules", name)
	if _, err := os.Stat(filepath.Join(dir, "package.json")); err != nil {
		return "", fmt.Errorf("the npm package %s is not installed", name)
	}
	return dir, nil
}

// BotoPython finds a Python that has boto3: the AWS CLI's own, else any other.
func BotoPython() (string, error) {
	candidates := []string{"python3", "/usr/bin/python3"}
	if own := shebang("aws"); own != "" {
		candidates = append([]string{own}, candidates...)
	}
	for _, c := range candidates {
		if exec.Command(c, "-c", "import boto3").Run() == nil {
			return c, nil
		}
	}
	return "", errors.New("no Python here has boto3")
}

// shebang returns the interpreter that a script names in its first line.
func shebang(command string) string {
	path, err := exec.LookPath(command)
	if err != nil {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	first, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		return ""
	}
	interpreter, found := strings.CutPrefix(strings.TrimSpace(first), "#!")
	if !found || !strings.Contains(filepath.Base(interpreter), "python") {
		return ""
	}
	return interpreter
}
