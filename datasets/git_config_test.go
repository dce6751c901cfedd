package datasets_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
)

// What the user and the system configured holds, however git is told of it: the sign
// of it is that git refuses to run with what it cannot read.
func TestGitKeepsConfiguration(t *testing.T) {
	r := forked(t)
	broken := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(broken, []byte("[core\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, variables := range map[string]map[string]string{
		"the user's file":   {"GIT_CONFIG_GLOBAL": broken},
		"the system's file": {"GIT_CONFIG_SYSTEM": broken, "GIT_CONFIG_NOSYSTEM": "0"},
		"numbered": {
			"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.abbrev", "GIT_CONFIG_VALUE_0": "many",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range variables {
				t.Setenv(key, value)
			}
			if err := last(t, r.dir, "main"); err == nil {
				t.Error("it is not read")
			}
		})
	}
}

// last returns the error that ends the commits of a revision, nil if none does.
func last(t *testing.T, dir, revision string) (last error) {
	t.Helper()
	for _, err := range datasets.Git(t.Context(), dir, revision) {
		last = err
	}
	return last
}

// Of a partial clone everything is used that is there, and nothing is fetched, where
// it could be and where its source is gone.
func TestGitPartialClone(t *testing.T) {
	for _, filter := range []string{"tree:0", "blob:none"} {
		t.Run(filter, func(t *testing.T) {
			r := forked(t)
			r.git("commit refs/heads/main\ncommitter c <c@example.org> 1700300000 +0000\ndata 0\n"+
				"from refs/heads/main^0\nM 100644 inline file\ndata 4\ntext\n", "fast-import", "--quiet")
			r.git("", "config", "uploadpack.allowFilter", "true")
			want := r.names("main")
			clone := repository{t, t.TempDir()}
			clone.git("", "clone", "--quiet", "--no-checkout", "--branch=main", "--filter="+filter, "file://"+r.dir, ".")
			before := files(t, clone.dir)
			check := func(t *testing.T) {
				if got := gitNames(items(t, clone.dir, "HEAD")); !slices.Equal(got, want) {
					t.Errorf("%d commits, want %d", len(got), len(want))
				}
				only(t, t.Context(), clone.dir, "HEAD:file") // has to be fetched to know what it is
				if after := files(t, clone.dir); !slices.Equal(after, before) {
					t.Errorf("%q, was %q", after, before)
				}
			}
			t.Run("with its source", check)
			if err := os.RemoveAll(r.dir); err != nil {
				t.Fatal(err)
			}
			t.Run("without", check)
		})
	}
}

// files returns the names of all files below dir.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
