package datasets_test

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
)

// items returns the commits of a revision.
func items(t *testing.T, dir, revision string) []datasets.Item {
	t.Helper()
	var all []datasets.Item
	for item, err := range datasets.Git(t.Context(), dir, revision) {
		if err != nil {
			t.Fatalf("%s: commit %d: %v", revision, len(all), err)
		}
		all = append(all, item)
	}
	return all
}

// gitName is git's name for a commit object.
func gitName(body []byte) string {
	return fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "commit %d\x00%s", len(body), body)))
}

// gitNames are those of items, in their order.
func gitNames(all []datasets.Item) []string {
	var names []string
	for _, item := range all {
		names = append(names, gitName(item.Body))
	}
	return names
}

func TestGit(t *testing.T) {
	r := forked(t)
	r.git("", "tag", "-a", "-m", "a tag", "v1", "side~2")
	for _, c := range []struct {
		revision string
		args     []string
		count    int
	}{
		{"main", []string{"main"}, 30},
		{"side", []string{"side"}, 25},
		{"main..side", []string{"main..side"}, 5},
		{"side..main", []string{"side..main"}, 10},
		{"main...side", []string{"main...side"}, 15},
		{"v1", []string{"v1"}, 23},
		{"main~28", []string{"main~28"}, 2},
		{"main..main", []string{"main..main"}, 0},
		{"main^!", []string{"main^!"}, 1},
		{"main~29^@", []string{"main..main"}, 0}, // the parents of the first
		{":/commit 3 of side", []string{"side~1"}, 24},
		{datasets.AllRefs, []string{"--all"}, 35},
	} {
		t.Run(c.revision, func(t *testing.T) {
			all := items(t, r.dir, c.revision)
			if got, want := gitNames(all), r.names(c.args...); len(all) != c.count || !slices.Equal(got, want) {
				t.Fatalf("%d commits, want %d: %q, want %q", len(all), c.count, got, want)
			}
			times := strings.Fields(r.git("", append([]string{"log", "--format=%ct"}, c.args...)...))
			for i, item := range all {
				if seconds, err := strconv.ParseInt(times[i], 10, 64); err != nil || item.Key.Time != seconds*second {
					t.Errorf("commit %d: time %d, want %ss", i, item.Key.Time, times[i])
				}
				if item.Key.ID != sha256.Sum256(item.Body) {
					t.Errorf("commit %d: its body does not hash to its ID", i)
				}
			}
		})
	}
}

// Two refs are two replicas that have diverged: what each needs is what git says
// that the other has.
func TestGitReplicas(t *testing.T) {
	r := forked(t)
	have, need := map[datasets.Key][]byte{}, map[datasets.Key][]byte{}
	for _, item := range items(t, r.dir, "side") {
		have[item.Key] = item.Body
	}
	for _, item := range items(t, r.dir, "main") {
		if _, ok := have[item.Key]; ok {
			delete(have, item.Key)
		} else {
			need[item.Key] = item.Body
		}
	}
	for revision, side := range map[string]map[datasets.Key][]byte{"main..side": have, "side..main": need} {
		var got []string
		for body := range maps.Values(side) {
			got = append(got, gitName(body))
		}
		want := r.names(revision)
		slices.Sort(want)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", revision, got, want)
		}
	}
}

func TestGitPlaces(t *testing.T) {
	t.Run("folder within", func(t *testing.T) {
		r := forked(t)
		dir := filepath.Join(r.dir, "a", "-b c")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if n := len(items(t, dir, "main")); n != 30 {
			t.Errorf("%d commits, want 30", n)
		}
	})
	t.Run("bare", func(t *testing.T) {
		r := forked(t, "--bare")
		if n := len(items(t, r.dir, "main")); n != 30 {
			t.Errorf("%d commits, want 30", n)
		}
	})
	t.Run("names of SHA-256", func(t *testing.T) {
		r := forked(t, "--object-format=sha256")
		if n := len(items(t, r.dir, "main")); n != 30 {
			t.Errorf("%d commits, want 30", n)
		}
	})
	t.Run("empty", func(t *testing.T) {
		if all := items(t, newRepository(t).dir, datasets.AllRefs); len(all) != 0 {
			t.Errorf("%d commits of none", len(all))
		}
	})
	t.Run("shallow", func(t *testing.T) {
		r := forked(t)
		clone := repository{t, t.TempDir()}
		clone.git("", "clone", "--quiet", "--depth=7", "--branch=main", "file://"+r.dir, ".")
		if got, want := gitNames(items(t, clone.dir, "HEAD")), r.names("main", "-7"); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// What the environment and the repository say of other commits changes nothing.
func TestGitShowsWhatIs(t *testing.T) {
	r, other := forked(t), newRepository(t)
	want := r.names("main")
	r.git("", "replace", "main~3", "side")
	info := filepath.Join(r.dir, ".git", "info")
	err := errors.Join(os.MkdirAll(info, 0o700), os.WriteFile(filepath.Join(info, "grafts"), []byte(want[9]+"\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_DIR", filepath.Join(other.dir, ".git"))
	t.Setenv("GIT_OBJECT_DIRECTORY", t.TempDir())
	if got := gitNames(items(t, r.dir, "main")); !slices.Equal(got, want) {
		t.Errorf("%d commits %q, want %d %q", len(got), got, len(want), want)
	}
}

func TestGitErrors(t *testing.T) {
	r := forked(t)
	r.git("", "tag", "-a", "-m", "no commit", "tree", "main^{tree}")
	for name, c := range map[string]struct {
		dir, revision string
		want          error
		text          string
	}{
		"no revision":     {r.dir, "", datasets.ErrOptions, `revision ""`},
		"an option":       {r.dir, "--all", datasets.ErrOptions, "--all"},
		"a short option":  {r.dir, "-n1", datasets.ErrOptions, "-n1"},
		"an empty option": {r.dir, "-", datasets.ErrOptions, ""},
		"unknown":         {r.dir, "nobody", datasets.ErrGit, "rev-parse: exit status 128: fatal: bad revision 'nobody'"},
		"a file":          {r.dir, ".git/HEAD", datasets.ErrGit, "bad revision"},
		"two in one":      {r.dir, "main side", datasets.ErrGit, "bad revision"},
		"an odd byte":     {r.dir, "main\x00", datasets.ErrGit, ""},
		"a tree":          {r.dir, "main^{tree}", datasets.ErrGit, "rev-list: exit status 128: error"},
		"a tag of a tree": {r.dir, "tree", datasets.ErrGit, "expected commit type"},
		"range to a tree": {r.dir, "main..tree", datasets.ErrGit, "expected commit type"},
		"without a tree":  {r.dir, "^tree", datasets.ErrGit, "expected commit type"},
		"no repository":   {t.TempDir(), "main", datasets.ErrGit, "not a git repository"},
		"no folder":       {filepath.Join(r.dir, "none"), "main", datasets.ErrGit, "cannot change to"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := only(t, t.Context(), c.dir, c.revision); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, want %v with %q", err, c.want, c.text)
			}
		})
	}
	t.Run("no git", func(t *testing.T) {
		t.Setenv("PATH", "")
		if err := only(t, t.Context(), r.dir, "main"); !errors.Is(err, datasets.ErrGit) || !errors.Is(err, exec.ErrNotFound) {
			t.Errorf("%v, want ErrGit of exec.ErrNotFound", err)
		}
	})
	alone(t)
}

// only wants one error and nothing else.
func only(t *testing.T, ctx context.Context, dir, revision string) (only error) {
	t.Helper()
	for item, err := range datasets.Git(ctx, dir, revision) {
		if err == nil || only != nil {
			t.Fatalf("%v, %v after %v", item, err, only)
		}
		only = err
	}
	return only
}

// A commit whose parent is gone: what was read before stays, the error says more.
func TestGitDamaged(t *testing.T) {
	r := newRepository(t)
	const commit = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n%sauthor a <a> 5 +0000\ncommitter c <c> 7 +0000\n\n%s\n"
	parent := r.write(fmt.Sprintf(commit, "", "first"))
	child := r.write(fmt.Sprintf(commit, "parent "+parent+"\n", "second"))
	if err := os.Remove(filepath.Join(r.dir, ".git", "objects", parent[:2], parent[2:])); err != nil {
		t.Fatal(err)
	}
	n := 0
	var last error
	for _, err := range datasets.Git(t.Context(), r.dir, child) {
		if last = err; err == nil {
			n++
		}
	}
	if !errors.Is(last, datasets.ErrGit) || !strings.Contains(last.Error(), parent) {
		t.Errorf("after %d commits: %v, want ErrGit that names %s", n, last, parent)
	}
}

// However the iteration ends, no process of it is left.
func TestGitEnds(t *testing.T) {
	const n = 2000 // more than the pipes hold
	r := newRepository(t)
	r.commits("main", "", n, 1_600_000_000)
	t.Run("all read", func(t *testing.T) {
		if got := len(items(t, r.dir, "main")); got != n {
			t.Errorf("%d commits, want %d", got, n)
		}
		alone(t)
	})
	t.Run("told to stop", func(t *testing.T) {
		for _, err := range datasets.Git(t.Context(), r.dir, "main") {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		alone(t)
	})
	t.Run("panic of the consumer", func(t *testing.T) {
		defer alone(t)
		defer func() { _ = recover() }()
		for range datasets.Git(t.Context(), r.dir, "main") {
			panic("the consumer's")
		}
	})
	t.Run("end of the context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		read := 0
		var last error
		for _, last = range datasets.Git(ctx, r.dir, "main") {
			if read++; read == 3 {
				cancel()
			}
		}
		if !errors.Is(last, datasets.ErrGit) || !errors.Is(last, context.Canceled) || read >= n {
			t.Errorf("after %d commits: %v, want ErrGit and context.Canceled", read, last)
		}
		alone(t)
		if err := only(t, ctx, r.dir, "main"); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v, want context.Canceled", err)
		}
	})
}

// alone fails the test if a process that this one started is left, where the system
// tells: running or not waited for.
func alone(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(tasks) == 0 {
		t.Skip("the system does not tell which processes there are")
	}
	for _, task := range tasks {
		if children, err := os.ReadFile(task); err == nil && len(children) > 0 {
			t.Errorf("processes are left: %s", children)
		}
	}
}
