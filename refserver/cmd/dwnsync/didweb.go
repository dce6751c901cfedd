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

// resolver returns what finds the keys of signers.
func (w webFlags) resolver() auth.Resolver {
	if !*w.on {
		return auth.Offline{}
	}
	web := auth.NewWeb(auth.WebOptions{Permitted: *w.permitted})
	return auth.Methods{"key": auth.Offline{}, "jwk": auth.Offline{}, "web": auth.NewCache(web, auth.CacheOptions{})}
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
