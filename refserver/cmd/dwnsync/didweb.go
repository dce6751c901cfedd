package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// webFlags say whether DIDs of the method web are resolved, which makes this process
// connect to the hosts that they name.
type webFlags struct {
	on        *bool
	permitted *prefixesFlag
}

func (f *flags) didWeb() webFlags {
	w := webFlags{
		on:        f.Bool("did-web", false, "take keys of did:web: fetch documents over HTTPS from the public hosts that DIDs name"),
		permitted: new(prefixesFlag),
	}
	f.Var(w.permitted, "did-web-permit", "address `PREFIXES`, separated by commas, that -did-web may connect to although they are not public, such as 10.1.0.0/16")
	return w
}

// check returns a usage error where a permission would do nothing.
func (w webFlags) check() error {
	if len(*w.permitted) > 0 && !*w.on {
		return fmt.Errorf("%w: -did-web-permit does nothing without -did-web", errUsage)
	}
	return nil
}

// resolver returns what finds the keys of signers.
func (w webFlags) resolver() auth.Resolver {
	messages, _ := w.resolvers()
	return messages
}

// resolvers returns what finds the keys of the signers of messages, and of tokens: strangers
// send those, so they have lookups of their own. Both remember the same documents.
func (w webFlags) resolvers() (messages, tokens auth.Resolver) {
	if !*w.on {
		return auth.Offline{}, auth.Offline{}
	}
	opt := auth.WebOptions{Permitted: *w.permitted}
	cache := auth.NewCache(auth.NewWeb(opt), auth.CacheOptions{})
	with := func(web auth.Resolver) auth.Resolver {
		return auth.Methods{"key": auth.Offline{}, "jwk": auth.Offline{}, "web": web}
	}
	return with(cache), with(cache.Beside(auth.NewWeb(opt)))
}

// prefixesFlag is a list of address ranges.
type prefixesFlag []netip.Prefix

// String returns the ranges.
func (p *prefixesFlag) String() string {
	var texts []string
	for _, prefix := range *p {
		texts = append(texts, prefix.String())
	}
	return strings.Join(texts, ",")
}

// Set parses ranges. One with bits behind its length is refused: it is not what was meant.
func (p *prefixesFlag) Set(text string) error {
	*p = nil
	for part := range strings.SplitSeq(text, ",") {
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			return err
		}
		if prefix != prefix.Masked() {
			return fmt.Errorf("%s has bits behind its length; want %s", prefix, prefix.Masked())
		}
		*p = append(*p, prefix)
	}
	return nil
}
