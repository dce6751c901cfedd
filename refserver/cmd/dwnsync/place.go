package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// messagePlace is where a command stores messages of the tenant who signs: in a folder, or
// on the node at the URL that is its argument.
type messagePlace struct{ dir, key *string }

func (f *flags) placeOfMessages() messagePlace { return messagePlace{f.dir(), f.key()} }

// check returns a usage error unless there is one place.
func (p messagePlace) check(f *flags, args []string) error {
	if (*p.dir == "") == (len(args) == 0) {
		return fmt.Errorf("%w: give either -dir or a URL", errUsage)
	}
	return nil
}

// put stores an entry of the signer's.
func (p messagePlace) put(ctx context.Context, s std, args []string, signer *auth.Signer, e store.Entry) error {
	if len(args) > 0 {
		client, err := newClient(args, *p.key, signer.DID())
		if err != nil {
			return err
		}
		_, err = client.PostMessage(ctx, refserver.NewRecord(signer.DID(), e.Message, e.Data))
		return err
	}
	node, err := openNode(*p.dir, true, warnings(s.err))
	if err != nil {
		return err
	}
	results, err := node.Write(ctx, signer.DID(), []store.Entry{e})
	if err == nil {
		err = results[0].Err
	}
	return errors.Join(err, node.close())
}

// grant reads the grant of that record ID of the tenant whose key signs.
func (p messagePlace) grant(ctx context.Context, s std, args []string, did, recordID string) (auth.NamedGrant, error) {
	if len(args) > 0 {
		client, err := newClient(args, *p.key, did)
		if err != nil {
			return auth.NamedGrant{}, err
		}
		return client.Grant(ctx, recordID)
	}
	node, err := openNode(*p.dir, false, warnings(s.err))
	if err != nil {
		return auth.NamedGrant{}, err
	}
	g, err := node.Grant(ctx, did, recordID)
	return g, errors.Join(err, node.close())
}

// notThere reports whether err is that of a place which does not have what was asked for.
func notThere(err error) bool {
	p, refused := errors.AsType[*refserver.Problem](err)
	return errors.Is(err, store.ErrNotFound) || refused && p.Code == "not-found"
}

// grants reads the grants of the tenant whose key signs, or of did where they are in a folder.
func (p messagePlace) grants(ctx context.Context, s std, args []string, did string) ([]auth.NamedGrant, error) {
	if len(args) > 0 {
		client, err := newClient(args, *p.key, did)
		if err != nil {
			return nil, err
		}
		return client.Grants(ctx)
	}
	node, err := openNode(*p.dir, false, warnings(s.err))
	if err != nil {
		return nil, err
	}
	list, err := node.Grants(ctx, did, func(e store.Entry, err error) {
		fmt.Fprintf(s.err, "%s is of no use: %v\n", e.Message.RecordID(), err)
	})
	return list, errors.Join(err, node.close())
}
