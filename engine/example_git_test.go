package engine_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
)

// commitKey orders commits by when their author wrote them. Its ID is the SHA-256 of the
// commit object.
func commitKey(commit []byte) (engine.Key, error) {
	var seconds int64
	_, author, _ := bytes.Cut(commit, []byte("\nauthor "))
	_, written, _ := bytes.Cut(author, []byte("> "))
	_, err := fmt.Fscan(bytes.NewReader(written), &seconds)
	return engine.Key{Time: seconds * 1_000_000, ID: sha256.Sum256(commit)}, err
}

// The commits of two clones that have diverged.
func Example_git() {
	ctx := context.Background()
	mine, yours := enginetest.Set{KeyOf: commitKey}, enginetest.Set{KeyOf: commitKey}
	folders, remove := twoClones()
	defer remove()
	for i, set := range []*enginetest.Set{&mine, &yours} {
		for commit, err := range datasets.Git(ctx, folders[i], datasets.AllRefs) {
			if err != nil {
				fmt.Println(err)
				return
			}
			set.Add(commit.Body)
		}
	}
	fmt.Println("mine", mine.Len(), "yours", yours.Len())
	report, err := engine.Sync(ctx, &mine, engine.Direct{Replica: &yours}, engine.Options{})
	fmt.Println("received", report.Received, "sent", report.Sent, "equal", report.RootsEqual, err)
	// Output:
	// mine 22 yours 23
	// received 3 sent 2 equal true <nil>
}
