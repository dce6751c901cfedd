package engine_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMain leaves out Example_git where git is not installed: an example cannot skip itself.
func TestMain(m *testing.M) {
	flag.Parse()
	if _, err := exec.LookPath("git"); err != nil {
		fmt.Fprintln(os.Stderr, "git is not installed: skipping Example_git")
		skip := flag.Lookup("test.skip").Value
		if err := skip.Set(strings.TrimPrefix(skip.String()+"|^Example_git$", "|")); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// twoClones makes two clones of a repository of 20 commits, to which the first has added 2
// and the second 3. The caller calls remove in the end.
func twoClones() (folders [2]string, remove func()) {
	parent, err := os.MkdirTemp("", "clones")
	if err != nil {
		panic(err)
	}
	mine, yours := filepath.Join(parent, "mine"), filepath.Join(parent, "yours")
	git("", "init", "--quiet", "--template=", mine)
	commit(mine, "shared", "", 0, 20)
	git("", "clone", "--quiet", "--template=", mine, yours)
	commit(mine, "mine", "refs/heads/shared", 20, 22)
	commit(yours, "yours", "refs/remotes/origin/shared", 20, 23)
	return [2]string{mine, yours}, func() { os.RemoveAll(parent) }
}

// commit adds commits to a branch, numbered from first to before last; the branch begins
// at the ref from, if there is one. Each is an hour after the one before.
func commit(folder, branch, from string, first, last int) {
	var in strings.Builder
	for i := first; i < last; i++ {
		message := fmt.Sprintf("commit %d, %s\n", i, branch)
		fmt.Fprintf(&in, "commit refs/heads/%s\ncommitter Ada <ada@example.org> %d +0000\ndata %d\n%s",
			branch, 1_700_000_000+i*3600, len(message), message)
		if i == first && from != "" {
			fmt.Fprintf(&in, "from %s^0\n", from)
		}
	}
	git(in.String(), "-C", folder, "fast-import", "--quiet")
}

// git runs git as if nothing were configured.
func git(in string, args ...string) {
	cmd := exec.Command("git", args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") }),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	cmd.Stdin = strings.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("git %q: %v: %s", args, err, out))
	}
}
