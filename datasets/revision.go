package datasets

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// newRevList returns a git rev-list, to be started, of what revision reaches.
//
// Of a tree or a blob rev-list prints nothing and says nothing. So the objects that
// the revision stands for, of which a range has more than one, are handed to it as
// the commits that they must be.
func newRevList(ctx context.Context, dir, revision string) (*gitCommand, error) {
	if revision == AllRefs {
		return newGitCommand(ctx, dir, "rev-list", "--all", "--"), nil
	}
	parse := newGitCommand(ctx, dir, "rev-parse", "--revs-only", revision, "--")
	var names bytes.Buffer
	parse.Stdout = &names
	if parse.result = parse.Run(); parse.result != nil {
		return nil, parse.failure()
	}
	list := newGitCommand(ctx, dir, "rev-list", "--stdin") // not by arguments: there may be no name
	list.Stdin = strings.NewReader(strings.ReplaceAll(names.String(), "\n", "^{commit}\n"))
	return list, nil
}

// failure returns how the command ended, and what it said.
func (c *gitCommand) failure() error {
	return fmt.Errorf("%s: %w: %s", c.name, c.result, c.said.text())
}
