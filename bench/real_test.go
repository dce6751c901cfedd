package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
)

var (
	gitDir       = flag.String("git", "", "the `folder` of a git repository whose commits are reconciled too, with -revisions")
	gitRevisions = flag.String("revisions", "", "`A,B`: with -git, the initiator holds the commits that A reaches, the responder those of B")
)

// errRevisions: the flags name no two sets of commits.
var errRevisions = errors.New("want -git DIR together with -revisions A,B")

// realSets returns what two sides hold of real data: of the shipped corpus always, of
// a git repository if dir names it.
func realSets(ctx context.Context, dir, revisions string) (map[datasets.Source]*pair, error) {
	corpus, err := corpusPair()
	if err != nil {
		return nil, err
	}
	all := map[datasets.Source]*pair{datasets.FromCorpus: corpus}
	if dir == "" && revisions == "" {
		return all, nil
	}
	all[datasets.FromGit], err = gitPair(ctx, dir, revisions)
	return all, err
}

// corpusPair returns two stores of the shipped corpus, for its first tenant: the
// responder holds all messages that a store retains of it, the initiator has been off line
// for the newest twentieth.
func corpusPair() (*pair, error) {
	tenants := datasets.CorpusTenants()
	if len(tenants) == 0 {
		return nil, datasets.ErrCorpus
	}
	var keys keySet
	for m, err := range datasets.Corpus() {
		if err != nil {
			return nil, err
		}
		if m.Tenant == tenants[0] && m.Retained {
			keys = append(keys, m.Message.Key())
		}
	}
	slices.SortFunc(keys, engine.Key.Compare)
	return pairOf(keys[:len(keys)-len(keys)/20], keys), nil
}

// gitPair returns two replicas of the commits of a repository.
func gitPair(ctx context.Context, dir, revisions string) (*pair, error) {
	a, b, two := strings.Cut(revisions, ",")
	if dir == "" || !two {
		return nil, fmt.Errorf("%w, have %q and %q", errRevisions, dir, revisions)
	}
	here, err := keysOf(datasets.Git(ctx, dir, a))
	if err != nil {
		return nil, fmt.Errorf("revision %q: %w", a, err)
	}
	there, err := keysOf(datasets.Git(ctx, dir, b))
	if err != nil {
		return nil, fmt.Errorf("revision %q: %w", b, err)
	}
	return pairOf(here, there), nil
}

// keysOf returns the keys of items, ascending.
func keysOf(items iter.Seq2[datasets.Item, error]) (keySet, error) {
	var keys keySet
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		keys = append(keys, item.Key)
	}
	slices.SortFunc(keys, engine.Key.Compare)
	return slices.Compact(keys), nil
}

// realName is the label of a system and real data: n keys on both sides together, of
// which the initiator lacks d.
func realName(s system, data datasets.Source, p *pair) string {
	return fmt.Sprintf("system=%s/data=%s/n=%d/d=%d", s.name, data, len(allOf(p.there))+len(p.have), len(p.need))
}

// BenchmarkReal does with real data what [BenchmarkReconcile] does with generated keys.
// data=corpus is one tenant of the shipped corpus, of which the initiator lacks the
// newest twentieth; data=git are the commits of a repository that flags name, where both
// sides may have their own.
func BenchmarkReal(b *testing.B) {
	sets, err := realSets(b.Context(), *gitDir, *gitRevisions)
	if err != nil {
		b.Fatal(err)
	}
	for _, data := range []datasets.Source{datasets.FromCorpus, datasets.FromGit} {
		p := sets[data]
		if p == nil {
			continue
		}
		for _, s := range systems() {
			b.Run(realName(s, data, p), func(b *testing.B) { benchReconcile(b, s, p) })
		}
	}
}

// TestRealCorpus: the initiator lacks the newest messages, and every system finds them.
func TestRealCorpus(t *testing.T) {
	sets, err := realSets(t.Context(), "", "")
	if err != nil || len(sets) != 1 {
		t.Fatalf("%d sets: %v", len(sets), err)
	}
	p := sets[datasets.FromCorpus]
	here, there := allOf(p.here), allOf(p.there)
	if len(there) != 1431 || len(p.need) != 71 || len(p.have) != 0 || len(here)+len(p.need) != len(there) {
		t.Fatalf("%d keys here, %d there, %d here alone and %d there alone", len(here), len(there), len(p.have), len(p.need))
	}
	if newest := here[len(here)-1]; newest.Compare(there[len(here)]) >= 0 {
		t.Errorf("the initiator has %v, which is newer than what it lacks", newest)
	}
	for _, s := range systems() {
		testReconcile(t, realName(s, datasets.FromCorpus, p), s, p)
	}
}

// TestRealGit: of two branches each side holds one, and every system finds what the
// initiator lacks.
func TestRealGit(t *testing.T) {
	dir := gitRepository(t)
	sets, err := realSets(t.Context(), dir, "side,main")
	if err != nil {
		t.Fatal(err)
	}
	p := sets[datasets.FromGit]
	if len(allOf(p.here)) != 450 || len(p.have) != 50 || len(p.need) != 100 || sets[datasets.FromCorpus] == nil {
		t.Fatalf("%d commits here, %d here alone and %d there alone", len(allOf(p.here)), len(p.have), len(p.need))
	}
	for _, s := range systems() {
		testReconcile(t, realName(s, datasets.FromGit, p), s, p)
	}
	if got, want := realName(systems()[0], datasets.FromGit, p), "/data=git/n=550/d=100"; !strings.HasSuffix(got, want) {
		t.Errorf("the label is %q, want it to end with %q", got, want)
	}
	for _, c := range []struct {
		dir, revisions string
		want           error
	}{
		{dir, "", errRevisions},
		{dir, "main", errRevisions},
		{"", "side,main", errRevisions},
		{dir, "side,", datasets.ErrOptions},
		{dir, "side,nowhere", datasets.ErrGit},
		{t.TempDir(), "side,main", datasets.ErrGit},
	} {
		if _, err := realSets(t.Context(), c.dir, c.revisions); !errors.Is(err, c.want) {
			t.Errorf("-git %q -revisions %q: %v, want %v", c.dir, c.revisions, err, c.want)
		}
	}
}

// gitRepository returns the folder of a repository of 500 commits of main, of which side
// leaves after 400 and has 50 of its own.
func gitRepository(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	var history strings.Builder
	for i := range 550 {
		branch, text := "main", fmt.Sprintf("commit %d\n", i)
		if i >= 400 && i < 450 {
			branch = "side"
		}
		fmt.Fprintf(&history, "commit refs/heads/%s\ncommitter c <c@example.org> %d +0000\ndata %d\n%s",
			branch, 1_700_000_000+i*3600, len(text), text)
		if i == 400 {
			fmt.Fprintln(&history, "from refs/heads/main")
		}
	}
	for _, args := range [][]string{{"init", "--quiet", "--template="}, {"fast-import", "--quiet"}} {
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "core.fsync=none"}, args...)...)
		environment := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") })
		cmd.Env = append(environment, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
		cmd.Stdin = strings.NewReader(history.String()) // init does not read it
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v: %s", args, err, said)
		}
	}
	return dir
}
