package datasets

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// AllRefs is the revision that stands for everything that any branch, tag or other
// ref reaches. It has a space, so no branch is named like it.
const AllRefs = "all refs"

// Git returns the commits of a git repository that a revision reaches, as git
// rev-list understands and orders it, mostly newest first: a branch, a tag, a
// commit, a range a..b, or AllRefs. The repository is the one that dir is in, with
// or without a work tree. Body is the raw commit object, Key.ID its SHA-256 (not
// git's name for it, which hashes a header too), Key.Time when it was committed by
// the committer's clock, 0 where that cannot be read.
//
// Two clones of a repository, or two of its refs, are two diverged replicas, and a
// developer has one of any size at hand.
//
// It runs the git that is installed: rev-parse, then rev-list piped into cat-file.
// They only read, in the local repository: of a partial clone what is there, without
// fetching the rest. None outlives the iteration: not where the consumer stops
// early, nor where ctx ends. Memory is what one commit takes, and what git needs
// itself. The sequence can be iterated over any number of times, concurrently too.
// It ends after an error: ErrOptions for a revision that is empty or begins with
// "-", else ErrGit, such as for a revision that names a tree or a file, and that of
// ctx too where it was the cause.
func Git(ctx context.Context, dir, revision string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		g, err := openHistory(ctx, dir, revision)
		if err != nil {
			yield(Item{}, err)
			return
		}
		defer g.stop() // also if yield does not come back
		for {
			body, err := g.next()
			if err != nil {
				if err = g.verdict(ctx, err); err != nil {
					yield(Item{}, err)
				}
				return
			}
			key := Key{Time: commitTime(body), ID: sha256.Sum256(body)}
			if !yield(Item{Key: key, Body: body}, nil) {
				return
			}
		}
	}
}

// history is a running git rev-list | git cat-file.
type history struct {
	cancel   context.CancelFunc
	commands []*gitCommand
	out      *bufio.Reader
}

// gitCommand is one of its processes.
type gitCommand struct {
	*exec.Cmd
	name   string
	said   opening // on standard error
	ended  bool
	result error // of Wait
}

func openHistory(ctx context.Context, dir, revision string) (*history, error) {
	if revision == "" || strings.HasPrefix(revision, "-") {
		return nil, fmt.Errorf("%w: revision %q", ErrOptions, revision)
	}
	within, cancel := context.WithCancel(ctx)
	h := &history{cancel: cancel}
	list, err := newRevList(within, dir, revision)
	if err == nil {
		err = h.start(list, newGitCommand(within, dir, "cat-file", "--batch", "--buffer"))
	}
	if err == nil {
		return h, nil
	}
	h.stop()
	if ctx.Err() != nil {
		err = ctx.Err() // not how the command was ended
	}
	return nil, fmt.Errorf("%w: %w", ErrGit, err)
}

// start runs show and list, with what list says going to show.
func (h *history) start(list, show *gitCommand) error {
	names, to, err := os.Pipe()
	if err != nil {
		return err
	}
	defer names.Close() // the processes have their own
	defer to.Close()
	list.Stdout, show.Stdin = to, names
	out, err := show.StdoutPipe()
	if err != nil {
		return err
	}
	h.out = bufio.NewReaderSize(out, 64<<10)
	for _, c := range []*gitCommand{show, list} {
		if err := c.Start(); err != nil {
			return err
		}
		h.commands = append(h.commands, c)
	}
	return nil
}

func newGitCommand(ctx context.Context, dir, name string, args ...string) *gitCommand {
	// Git remarks on grafts even where the file of them is replaced by none.
	args = slices.Concat([]string{"-C", dir, "--no-pager", "-c", "advice.graftFileDeprecated=false", name}, args)
	c := &gitCommand{Cmd: exec.CommandContext(ctx, "git", args...), name: name}
	c.Env = gitEnvironment(os.Environ())
	c.Stderr = &c.said
	c.WaitDelay = 10 * time.Second // for what holds its standard error after it
	return c
}

// gitEnvironment returns an environment without the variables of git, which could
// name another repository than dir, and with those that keep git from writing,
// asking, fetching what a partial clone lacks, and showing other commits than there
// are. Configuration stays, the system's, the user's and that of GIT_CONFIG_*: it
// says whose repositories are safe, and changes no output of the commands run here.
func gitEnvironment(environment []string) []string {
	kept := slices.DeleteFunc(slices.Clone(environment), func(v string) bool {
		name := strings.ToUpper(v)
		return strings.HasPrefix(name, "GIT_") && !strings.HasPrefix(name, "GIT_CONFIG_")
	})
	return append(kept, "LC_ALL=C",
		"GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0",
		"GIT_ALLOW_PROTOCOL=none", "GIT_NO_LAZY_FETCH=1",
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_GRAFT_FILE="+os.DevNull)
}

// verdict returns why there is no next commit: nil if that was the last. The
// commands have ended when it returns.
func (h *history) verdict(ctx context.Context, reason error) error {
	over := reason == io.EOF || reason == io.ErrUnexpectedEOF
	if !over {
		h.cancel() // what is not understood is not read on
	}
	h.wait()
	failed := slices.IndexFunc(h.commands, func(c *gitCommand) bool { return c.result != nil })
	switch {
	case failed < 0 && reason == io.EOF:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrGit, ctx.Err())
	case over && failed >= 0:
		return fmt.Errorf("%w: %w", ErrGit, h.commands[failed].failure())
	default:
		return fmt.Errorf("%w: %w", ErrGit, reason)
	}
}

// stop ends the commands if they still run, and waits for them.
func (h *history) stop() {
	h.cancel()
	h.wait()
}

func (h *history) wait() {
	for _, c := range h.commands {
		if !c.ended {
			c.result, c.ended = c.Wait(), true
		}
	}
	h.cancel()
}

// opening keeps the first bytes that are written to it.
type opening struct{ bytes []byte }

// Write takes p, or as much of it as is kept.
func (o *opening) Write(p []byte) (int, error) {
	const most = 1000
	o.bytes = append(o.bytes, p[:min(len(p), most-len(o.bytes))]...)
	return len(p), nil
}

func (o *opening) text() string { return strings.TrimSpace(string(o.bytes)) }
