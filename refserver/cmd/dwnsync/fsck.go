package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// fsckResult is what fsck found.
type fsckResult struct {
	OK      bool         `json:"ok"` // nothing is wrong, or not any more
	Tenants []fsckTenant `json:"tenants"`
}

// fsckTenant is what fsck found of one tenant.
type fsckTenant struct {
	Tenant     string `json:"tenant"`
	Messages   int    `json:"messages"`    // that are listed by their keys
	LogEntries int    `json:"log_entries"` // acceptances that can be read
	Data       int    `json:"data"`        // messages whose record data is here, undamaged
	Bytes      int64  `json:"bytes"`       // what counts for a quota: of messages and their data
	Summaries  string `json:"summaries"`   // one of the constants below
	// Drift is the part of the summaries that is, or was before -rebuild, another than a
	// scan of everything makes.
	Drift   string       `json:"drift,omitempty"`
	Damaged []fsckDamage `json:"damaged"`
	// Errors are what is wrong with the tenant and no message can be named for.
	Errors []string `json:"errors"`
}

// What fsck says of the summaries of a tenant.
const (
	summariesNone     = "none" // the tenant never took part in a sync
	summariesFine     = "in order"
	summariesDrifted  = "drifted"
	summariesRebuilt  = "rebuilt"
	summariesUnknown  = "not compared" // because the messages cannot be read
	adviceOnSummaries = "dwnsync fsck -rebuild makes them again from the messages"
	adviceOnMessages  = "change nothing in the folder and keep a copy of it; what is damaged comes back by a sync of a new folder with a node that has it: " +
		"dwnsync sync -dir NEW -key JWK.json -tenant DID URL"
)

// fsckDamage names a message that is not as it was stored.
type fsckDamage struct {
	CID  string `json:"cid"`
	What string `json:"what"`
}

// ok reports that nothing is wrong now.
func (t fsckTenant) ok() bool {
	return t.sound() && t.Summaries != summariesDrifted
}

// sound reports that all messages are as they were stored.
func (t fsckTenant) sound() bool { return len(t.Damaged)+len(t.Errors) == 0 }

// runFsck verifies a folder: every table, when it is opened, every message and its rows,
// and the summaries.
func runFsck(ctx context.Context, s std, f *flags) error {
	dir, tenant, asJSON := f.dir(), f.tenant(), f.json()
	rebuild := f.Bool("rebuild", false, "make summaries that drifted again")
	if _, err := f.parse(0); err != nil {
		return err
	}
	if err := f.need("dir"); err != nil {
		return err
	}
	node, err := openAlone(s, *dir, "fsck")
	if err != nil {
		return advised(err)
	}
	c := &fsck{node: node, rebuild: *rebuild, bar: newProgress(s, "fsck")}
	result, err := c.all(ctx, *dir, *tenant)
	c.bar.done()
	if err = errors.Join(err, node.close()); err != nil {
		return advised(err)
	}
	if *asJSON {
		err = printJSON(s, result)
	} else {
		err = result.print(s)
	}
	return errors.Join(err, result.verdict())
}

// advised adds to what is wrong with the whole store what to do.
func advised(err error) error {
	if errors.Is(err, store.ErrCorrupt) {
		return fmt.Errorf("%w\n%s", err, adviceOnMessages)
	}
	return err
}

// all checks one tenant of the folder, or all of them.
func (c *fsck) all(ctx context.Context, dir, tenant string) (fsckResult, error) {
	result := fsckResult{OK: true, Tenants: []fsckTenant{}}
	tenants := []string{tenant}
	if tenant == "" {
		tenants = nil
		for did, err := range c.node.Store.Tenants(ctx) {
			if err != nil {
				return result, err
			}
			tenants = append(tenants, did)
		}
	} else if present, err := c.node.Store.Has(ctx, tenant); err != nil {
		return result, err
	} else if !present {
		return result, errNobody(tenant, dir)
	}
	for _, did := range tenants {
		t, err := c.tenant(ctx, did)
		if err != nil {
			return result, err
		}
		result.Tenants = append(result.Tenants, t)
		result.OK = result.OK && t.ok()
	}
	return result, nil
}

func (r fsckResult) print(s std) error {
	out := bufio.NewWriter(s.out)
	messages := 0
	for _, t := range r.Tenants {
		messages += t.Messages
		drift := ""
		if t.Drift != "" {
			drift = fmt.Sprintf(" (%s)", t.Drift)
		}
		fmt.Fprintf(out, "%s: %d messages, %d log entries, data of %d messages, %d bytes, summaries %s%s\n",
			t.Tenant, t.Messages, t.LogEntries, t.Data, t.Bytes, t.Summaries, drift)
		for _, d := range t.Damaged {
			fmt.Fprintf(out, "  %s: %s\n", d.CID, d.What)
		}
		for _, text := range t.Errors {
			fmt.Fprintf(out, "  %s\n", text)
		}
	}
	state := "in order"
	if !r.OK {
		state = "NOT in order"
	}
	fmt.Fprintf(out, "%s: %d tenants, %d messages\n", state, len(r.Tenants), messages)
	return out.Flush()
}

// verdict returns what is wrong and what to do about it.
func (r fsckResult) verdict() error {
	var errs []error
	damaged := 0
	for _, t := range r.Tenants {
		damaged += len(t.Damaged)
	}
	if slices.ContainsFunc(r.Tenants, func(t fsckTenant) bool { return !t.sound() }) {
		errs = append(errs, fmt.Errorf("%w: %d messages; %s", store.ErrCorrupt, damaged, adviceOnMessages))
	}
	if slices.ContainsFunc(r.Tenants, func(t fsckTenant) bool { return t.Summaries == summariesDrifted }) {
		errs = append(errs, fmt.Errorf("summaries drifted; %s", adviceOnSummaries))
	}
	return errors.Join(errs...)
}
