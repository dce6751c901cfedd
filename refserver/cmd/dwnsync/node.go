package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// folderNode is the node in a folder, which keeps the summaries of what it holds.
type folderNode struct {
	refserver.Node
	log *slog.Logger
}

// openNode opens the node in the folder dir, which must have one in it unless it may be
// created. log is told of summaries that had to be made again. The caller closes it.
func openNode(dir string, create bool, log *slog.Logger) (folderNode, error) {
	s, err := openDir(dir, create)
	if err != nil {
		return folderNode{}, err
	}
	return nodeOf(s, log), nil
}

// openBounded is openNode for a server: the node is made if there is none, and each tenant has
// a quota.
func openBounded(dir string, quota store.Quota, log *slog.Logger) (folderNode, error) {
	s, err := badger.Open(dir, badger.Options{Quota: quota})
	if err != nil {
		return folderNode{}, err
	}
	return nodeOf(s, log), nil
}

func nodeOf(s store.Store, log *slog.Logger) folderNode {
	keeper := summaries.Open(s, summaries.Options{Logger: log})
	return folderNode{refserver.Node{Store: s, Keeper: keeper}, log}
}

// close saves the summaries and closes the store. Those that could not be saved are made
// again when they are needed, so that is no failure.
func (n folderNode) close() error {
	if err := n.Keeper.Close(); err != nil {
		n.log.Warn("summaries were not saved", "error", err)
	}
	return n.Store.Close()
}

// warnings returns what commands that log nothing else tell of summaries.
func warnings(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// openAlone is openNode for a command that no server does for others: where the folder is
// in use, it says that the server has to stop meanwhile.
func openAlone(s std, dir, what string) (folderNode, error) {
	n, err := openNode(dir, false, warnings(s.err))
	if errors.Is(err, store.ErrLocked) {
		err = fmt.Errorf("%w; %s needs the folder for itself: stop the server, run this, start it again", err, what)
	}
	return n, err
}

// errNobody reports a tenant that the node in dir has nothing of.
func errNobody(did, dir string) error {
	return fmt.Errorf("there is nothing of %s in %s", did, dir)
}
