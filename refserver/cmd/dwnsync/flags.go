package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
)

// flags are the flags of one command line. A command defines the ones it has,
// then calls parse.
type flags struct {
	*flag.FlagSet
	args []string
	help func()
}

func newFlags(s std, c command, args []string) *flags {
	set := flag.NewFlagSet("dwnsync "+c.name, flag.ContinueOnError)
	set.SetOutput(io.Discard) // exitCode tells what is wrong, once
	return &flags{set, args, func() {
		fmt.Fprintf(s.out, "usage: dwnsync %s %s\n%s.\n", c.name, c.args, c.what)
		set.SetOutput(s.out)
		set.PrintDefaults()
	}}
}

// parse reads the command line, flags and at most max other arguments in any
// order, and then the environment for flags that were not given.
func (f *flags) parse(maxArgs int) ([]string, error) {
	var rest []string
	for args := f.args; ; {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				f.help()
				return nil, err
			}
			return nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		if f.NArg() == 0 {
			break
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
	if len(rest) > maxArgs {
		return nil, fmt.Errorf("%w: unexpected argument %q", errUsage, rest[maxArgs])
	}
	return rest, f.environment()
}

// environment takes an empty variable for one that is not set.
func (f *flags) environment() error {
	given := map[string]bool{}
	f.Visit(func(fl *flag.Flag) { given[fl.Name] = true })
	var failed error
	f.VisitAll(func(fl *flag.Flag) {
		name := "DWNSYNC_" + strings.ToUpper(strings.ReplaceAll(fl.Name, "-", "_"))
		if value := os.Getenv(name); value != "" && !given[fl.Name] {
			if err := fl.Value.Set(value); err != nil {
				failed = fmt.Errorf("%w: %s: %w", errUsage, name, err)
			}
		}
	})
	return failed
}

// need returns a usage error for the first of the named flags that is empty.
func (f *flags) need(names ...string) error {
	for _, name := range names {
		if f.Lookup(name).Value.String() == "" {
			return fmt.Errorf("%w: -%s is missing", errUsage, name)
		}
	}
	return nil
}

func (f *flags) dir() *string { return f.String("dir", "", "`folder` of the node") }
func (f *flags) key() *string { return f.String("key", "", "`file` with the private JWK that signs") }
func (f *flags) json() *bool  { return f.Bool("json", false, "print one JSON object") }

func (f *flags) tenant() *string {
	did := new(string)
	f.Var((*didFlag)(did), "tenant", "`DID` whose messages it is about")
	return did
}

// didFlag refuses what is no DID: a typing error is not a tenant without messages.
type didFlag string

// String returns the DID.
func (d *didFlag) String() string { return string(*d) }

// Set checks a DID.
func (d *didFlag) Set(text string) error {
	*d = didFlag(text)
	return auth.CheckDID(text)
}

// scopeFlag is a -scope; absent is everything.
type scopeFlag struct{ scope dwn.Scope }

func (f *flags) scope() *scopeFlag {
	s := new(scopeFlag)
	f.Var(s, "scope", "`JSON` object that narrows the messages, such as {\"protocol\":\"https://example.org/notes\"}")
	return s
}

// String returns the scope as canonical JSON, and nothing for everything.
func (s *scopeFlag) String() string {
	if s.scope.All() {
		return ""
	}
	return string(s.scope.AppendJSON(nil))
}

// Set parses a scope.
func (s *scopeFlag) Set(text string) (err error) {
	s.scope, err = dwn.ParseScope([]byte(text))
	return err
}

// grantFlag is a -grant: record IDs, separated by commas.
type grantFlag []string

func (f *flags) grants() *grantFlag {
	g := new(grantFlag)
	f.Var(g, "grant", "`IDS` of permission grants, separated by commas, for a key that is not the tenant's")
	return g
}

// String returns the IDs as Set reads them.
func (g *grantFlag) String() string { return strings.Join(*g, ",") }

// Set parses the IDs, in any order, with spaces around them or not.
func (g *grantFlag) Set(text string) error {
	ids := strings.Split(text, ",")
	for i, id := range ids {
		ids[i] = strings.TrimSpace(id)
	}
	slices.Sort(ids)
	*g = ids
	if slices.Equal(ids, []string{""}) {
		*g = nil
		return errors.New("no record ID of a grant")
	}
	if len(slices.Compact(slices.Clone(ids))) < len(ids) {
		return errors.New("an ID is there twice")
	}
	return auth.CheckGrantIDs(ids)
}

// priceFlag is a -round-price, from 1 to maxRoundPrice.
type priceFlag int

// maxRoundPrice is a second at 8.6 Gbit/s. A limit keeps costs within 64 bits.
const maxRoundPrice = 1 << 30

func (f *flags) roundPrice() *priceFlag {
	p := priceFlag(engine.DefaultRoundPrice)
	f.Var(&p, "round-price", "what auto takes a round to be worth, in `BYTES`: round-trip time times bandwidth; the default is 50 ms at 20 Mbit/s")
	return &p
}

// String returns the price as Set reads it.
func (p *priceFlag) String() string { return strconv.Itoa(int(*p)) }

// Set parses a price.
func (p *priceFlag) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxRoundPrice {
		return fmt.Errorf("not a number of bytes from 1 to %d", maxRoundPrice)
	}
	*p = priceFlag(n)
	return nil
}

// syncFlags are the flags that sync and demo share.
type syncFlags struct {
	strategy, direction *string
	scope               *scopeFlag
	json                *bool
}

func (f *flags) sync(strategy string) syncFlags {
	return syncFlags{
		strategy:  f.String("strategy", strategy, fmt.Sprintf("one of %v", engine.Strategies())),
		direction: f.String("direction", string(engine.Both), "pull, push or both"),
		scope:     f.scope(),
		json:      f.json(),
	}
}

func (s syncFlags) check(strategy engine.Strategy) error {
	if _, err := engine.NewInitiator(nil, engine.Options{
		Strategy: strategy, Direction: engine.Direction(*s.direction),
	}); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return nil
}

// openDir opens the node's folder, which must have a node in it unless it may be
// created.
func openDir(dir string, create bool) (store.Store, error) {
	if !create {
		switch entries, err := os.ReadDir(dir); {
		case err != nil:
			return nil, fmt.Errorf("there is no node in %s: %w", dir, err)
		case len(entries) == 0:
			return nil, fmt.Errorf("there is no node in %s: the folder is empty", dir)
		}
	}
	s, err := badger.Open(dir, badger.Options{})
	if err != nil {
		return nil, err // not s: a nil *badger.Store is no nil store.Store
	}
	return s, nil
}

func readKey(file string) (*auth.Signer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	signer, err := auth.ParseSigner(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return signer, nil
}

func printJSON(s std, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s\n", text)
	return err
}
