package datasets_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// repository is a git repository in a folder of the test.
type repository struct {
	t   *testing.T
	dir string
}

// newRepository makes an empty one; args go to git init.
func newRepository(t *testing.T, args ...string) repository {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	r := repository{t, t.TempDir()}
	r.git("", append([]string{"init", "--quiet", "--template="}, args...)...)
	return r
}

// git runs git with in on its standard input and returns what it says.
func (r repository) git(in string, args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", r.dir, "-c", "core.fsync=none"}, args...)...)
	environment := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") })
	cmd.Env = append(environment, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_COMMITTER_DATE=1700000000 +0100", "GIT_COMMITTER_NAME=c", "GIT_COMMITTER_EMAIL=c@example.org")
	cmd.Stdin = strings.NewReader(in)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("git %q: %v: %s", args, err, &said)
	}
	return strings.TrimSpace(string(out))
}

// commits adds n commits to a branch, which begins at from if that is not empty.
// Commit i is an hour after commit i-1, the first at the given number of seconds.
func (r repository) commits(branch, from string, n, start int) {
	r.t.Helper()
	var in strings.Builder
	for i := range n {
		message := fmt.Sprintf("commit %d of %s\n", i, branch)
		fmt.Fprintf(&in, "commit refs/heads/%s\ncommitter Größe <c@example.org> %d +0130\ndata %d\n%s",
			branch, start+i*3600, len(message), message)
		if i == 0 && from != "" {
			fmt.Fprintf(&in, "from refs/heads/%s^0\n", from)
		}
	}
	r.git(in.String(), "fast-import", "--quiet")
}

// write stores a commit object as it is and returns its name.
func (r repository) write(commit string) string {
	r.t.Helper()
	return r.git(commit, "hash-object", "-t", "commit", "-w", "--stdin", "--literally")
}

// names returns the names of the commits in a slow and obvious way.
func (r repository) names(args ...string) []string {
	r.t.Helper()
	return strings.Fields(r.git("", append([]string{"--no-replace-objects", "rev-list"}, args...)...))
}

// forked is a repository of 30 commits of main, of which side leaves after 20 and
// has 5 of its own.
func forked(t *testing.T, args ...string) repository {
	t.Helper()
	r := newRepository(t, args...)
	r.commits("main", "", 20, 1_700_000_000)
	r.commits("side", "main", 5, 1_700_100_000)
	r.commits("main", "main", 10, 1_700_200_000)
	return r
}
