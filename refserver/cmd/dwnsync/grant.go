package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// granted is a permission grant as grant and grants print it.
type granted struct {
	ID           string `json:"id"` // what sync -grant names it by
	Grantee      string `json:"grantee"`
	Can          string `json:"can"` // interface and method, such as Messages.Read
	Protocol     string `json:"protocol,omitempty"`
	ContextID    string `json:"contextId,omitempty"`
	ProtocolPath string `json:"protocolPath,omitempty"`
	Delegated    bool   `json:"delegated,omitempty"`
	Publication  string `json:"publication,omitempty"`
	Description  string `json:"description,omitempty"`
	Granted      string `json:"granted"` // as DWN messages write time
	Expires      string `json:"expires"`
	State        string `json:"state"` // "good", "revoked", "expired" or "to come"
}

func grantedOf(g auth.Grant, revoked bool, now time.Time) granted {
	state := "good"
	switch {
	case revoked:
		state = "revoked"
	case now.UnixMicro() >= g.Expires:
		state = "expired"
	case now.UnixMicro() < g.Granted:
		state = "to come"
	}
	return granted{
		g.ID, g.Grantee, g.Interface + "." + g.Method, g.Protocol, g.ContextID, g.ProtocolPath, g.Delegated, g.Publication,
		g.Description, dwn.FormatTime(g.Granted), dwn.FormatTime(g.Expires), state,
	}
}

// String returns one line.
func (g granted) String() string {
	where := "everywhere"
	if g.Protocol != "" {
		where = "in " + g.Protocol
	}
	if g.ContextID != "" {
		where += ", context " + g.ContextID
	}
	if g.ProtocolPath != "" {
		where += ", path " + g.ProtocolPath
	}
	if g.Delegated {
		where += ", in the tenant's name"
	}
	return fmt.Sprintf("%s %s: %s may %s %s until %s", g.ID, g.State, g.Grantee, g.Can, where, g.Expires)
}

// grantFlags are what a grant is made of.
type grantFlags struct {
	grantee, can, protocol, contextID, path, publication, description *string
	lasts                                                             *time.Duration
	delegated                                                         *bool
}

func (f *flags) grantFlags() grantFlags {
	grantee := new(string)
	f.Var((*didFlag)(grantee), "to", "`DID` that may do it")
	return grantFlags{
		grantee:     grantee,
		can:         f.String("can", "Messages.Read", "`INTERFACE.METHOD`: Messages.Read to pull; in another grant Records.Write or Records.Delete, with -protocol, to push what the grantee signed; others change no sync"),
		protocol:    f.String("protocol", "", "`URL` of the protocol that it is limited to"),
		contextID:   f.String("context", "", "`ID` of the context that it is limited to, within -protocol"),
		path:        f.String("path", "", "protocol `PATH` that it is limited to, within -protocol"),
		lasts:       f.Duration("lasts", 30*24*time.Hour, "how long it is good for"),
		delegated:   f.Bool("delegated", false, "the grantee may sign what -can allows in the tenant's name"),
		publication: f.String("publication", "", "of records that are written, with -can Records.Write: Required or Prohibited"),
		description: f.String("description", "", "`TEXT` for people"),
	}
}

// sign makes the grant, good from now on.
func (g grantFlags) sign(signer *auth.Signer, now time.Time) (auth.Grant, store.Entry, error) {
	switch {
	case *g.lasts <= 0:
		return auth.Grant{}, store.Entry{}, fmt.Errorf("%w: -lasts has to be above 0", errUsage)
	case *g.grantee == signer.DID():
		return auth.Grant{}, store.Entry{}, fmt.Errorf("%w: -to is the DID of the key itself, which may do everything", errUsage)
	case *g.publication != "" && *g.can != "Records.Write":
		return auth.Grant{}, store.Entry{}, fmt.Errorf("%w: -publication is about what is written: it needs -can Records.Write", errUsage)
	}
	of, method, _ := strings.Cut(*g.can, ".")
	m, data, err := auth.MakeGrant(signer, auth.Grant{
		Grantee: *g.grantee, Granted: now.UnixMicro(), Expires: now.Add(*g.lasts).UnixMicro(), Interface: of, Method: method, Protocol: *g.protocol,
		ContextID: *g.contextID, ProtocolPath: *g.path, Delegated: *g.delegated, Publication: *g.publication, Description: *g.description,
	})
	if err != nil {
		return auth.Grant{}, store.Entry{}, fmt.Errorf("%w: %w", errUsage, err)
	}
	made, err := auth.ParseGrant(m, data)
	return made, store.Entry{Message: m, Data: data}, err
}

// runGrant makes a permission grant and stores it in a folder or on a node.
func runGrant(ctx context.Context, s std, f *flags) error {
	to, asJSON, opt := f.placeOfMessages(), f.json(), f.grantFlags()
	args, err := f.parse(1)
	if err != nil {
		return err
	}
	if err := errors.Join(f.need("key", "to", "can"), to.check(f, args)); err != nil {
		return err
	}
	signer, err := readKey(*to.key)
	if err != nil {
		return err
	}
	now := time.Now()
	g, entry, err := opt.sign(signer, now)
	if err == nil {
		err = to.put(ctx, s, args, signer, entry)
	}
	if err != nil {
		return err
	}
	if *asJSON {
		return printJSON(s, grantedOf(g, false, now))
	}
	_, err = fmt.Fprintln(s.out, grantedOf(g, false, now))
	return err
}

// runRevoke revokes a grant, which it reads where it stores the revocation.
func runRevoke(ctx context.Context, s std, f *flags) error {
	to, asJSON := f.placeOfMessages(), f.json()
	id := f.String("grant", "", "`ID` of the grant")
	description := f.String("description", "", "`TEXT` for people")
	args, err := f.parse(1)
	if err != nil {
		return err
	}
	if err := errors.Join(f.need("key", "grant"), to.check(f, args)); err != nil {
		return err
	}
	if err := auth.CheckGrantIDs([]string{*id}); err != nil {
		return fmt.Errorf("%w: -grant: %w", errUsage, err)
	}
	signer, err := readKey(*to.key)
	if err != nil {
		return err
	}
	g, err := to.grant(ctx, s, args, signer.DID(), *id)
	if notThere(err) {
		return fmt.Errorf("there is no grant %s of %s", *id, signer.DID())
	}
	if err != nil {
		return err
	}
	done := revoked{ID: *id, Already: g.Revoked}
	if !g.Revoked { // another revocation would change nothing, and may not fit
		m, data, err := auth.MakeRevocation(signer, g.Grant, *description, max(time.Now().UnixMicro(), g.Granted+1))
		if err == nil {
			err = to.put(ctx, s, args, signer, store.Entry{Message: m, Data: data})
		}
		if err != nil {
			return err
		}
		done.By = m.CID().String()
	}
	if *asJSON {
		return printJSON(s, done)
	}
	_, err = fmt.Fprintln(s.out, done)
	return err
}

// revoked is what revoke prints.
type revoked struct {
	ID      string `json:"id"`
	By      string `json:"revoked_by,omitempty"` // CID of the revocation that was stored
	Already bool   `json:"already"`              // it was revoked or deleted before; nothing was stored
}

// String returns one line.
func (r revoked) String() string {
	if r.Already {
		return r.ID + " is revoked already"
	}
	return r.ID + " revoked by " + r.By
}

// runGrants lists the grants that a folder or a node holds, the oldest first.
func runGrants(ctx context.Context, s std, f *flags) error {
	from, tenant, asJSON := f.placeOfMessages(), f.tenant(), f.Bool("json", false, "print one JSON array")
	args, err := f.parse(1)
	if err != nil {
		return err
	}
	needed := "tenant"
	if len(args) > 0 {
		needed = "key" // whose DID is the tenant
	}
	if err := errors.Join(f.need(needed), from.check(f, args)); err != nil {
		return err
	}
	if len(args) > 0 {
		signer, err := readKey(*from.key)
		if err != nil {
			return err
		}
		*tenant = signer.DID()
	}
	held, err := from.grants(ctx, s, args, *tenant)
	if err != nil {
		return err
	}
	list := []granted{}
	for _, g := range held {
		list = append(list, grantedOf(g.Grant, g.Revoked, time.Now()))
	}
	slices.SortFunc(list, func(a, b granted) int { return cmp.Or(cmp.Compare(a.Granted, b.Granted), cmp.Compare(a.ID, b.ID)) })
	if *asJSON {
		return printJSON(s, list)
	}
	for _, g := range list {
		fmt.Fprintln(s.out, g)
	}
	return nil
}
