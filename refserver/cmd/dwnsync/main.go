// Command dwnsync keeps DWN messages in a folder and syncs them with other nodes.
//
//	dwnsync demo                         two nodes on this machine, synced by every strategy
//	dwnsync sample -out DIR              messages, a key and a tenant to try the others with
//	dwnsync gen -n 1000                  any number of signed messages, made by seed
//	dwnsync keygen                       a private key and its DID
//	dwnsync import -dir D [FILE]         messages into a folder
//	dwnsync serve -dir D -addr HOST:PORT a node over HTTP
//	dwnsync sync -dir D -key K -tenant T URL
//	dwnsync explain ...                  the same arguments: what that sync would cost, and why
//	dwnsync ids | root | export -dir D   what a folder holds
//	dwnsync fsck -dir D                  whether a folder is in order
//	dwnsync rotate -dir D -tenant T      a new secret for a tenant's summaries
//	dwnsync grant | revoke | grants      who else may pull, and push, a tenant's messages
//	dwnsync version
//
// Results go to stdout, everything else to stderr. The exit code is 0, 1 where
// something failed and 2 where the command was not understood. Every flag can be
// given by the environment: -dir as DWNSYNC_DIR.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	code := run(ctx, std{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:])
	stop()
	os.Exit(code)
}

// std are the streams of a command.
type std struct {
	in       io.Reader
	out, err io.Writer
}

// command is one subcommand. run is handed the arguments after its name.
type command struct {
	name, args, what string
	run              func(context.Context, std, *flags) error
}

func commands() []command {
	return []command{
		{"demo", "[-strategy S] [-direction D] [-scope JSON] [-json]", "sync two nodes on this machine by every strategy", runDemo},
		{"sample", "-out DIR", "write messages, a key and a tenant to try the others with", runSample},
		{"gen", "[-n N] [-seed S] [-out FILE] [-key FILE] [-start TIME] [-interval 1m]", "make any number of signed messages by seed, as JSON lines", runGen},
		{"keygen", "[-curve C] [-out FILE]", "make a private key and its did:key", runKeygen},
		{"import", "-dir D [-json] [FILE]", "store messages from JSON lines, a file or stdin, also .gz", runImport},
		{"export", "-dir D [-tenant DID] [-scope JSON]", "write messages as JSON lines", runExport},
		{"serve", "-dir D -addr HOST:PORT [-peer URL -every 5m -key JWK.json]", "run a node over HTTP", runServe},
		{"sync", "-dir D -key JWK.json -tenant DID [-grant ID,...] [-scope JSON] [-json] URL", "sync with the node at URL", runSync},
		{"explain", "-dir D -key JWK.json -tenant DID [-grant ID,...] [-scope JSON] [-direction D] [-json] URL", "tell what a sync with the node at URL would cost, by which strategy, and move no message", runExplain},
		{"ids", "-dir D -tenant DID [-scope JSON]", "print the sorted CIDs, one a line", runIDs},
		{"root", "-dir D -tenant DID", "print count and SHA-256 over the sorted IDs", runRoot},
		{"fsck", "-dir D [-tenant DID] [-rebuild] [-json]", "verify messages and summaries, and make summaries again", runFsck},
		{"rotate", "-dir D -tenant DID [-json]", "give a tenant's summaries a new secret, which other nodes take over", runRotate},
		{"grant", "-key JWK.json -to DID [-can Messages.Read] [-protocol URL] [-lasts 720h] [-json] -dir D | URL", "let another DID do something with the messages of the key's DID", runGrant},
		{"revoke", "-key JWK.json -grant ID [-json] -dir D | URL", "end a grant of the key's DID, also in syncs under way", runRevoke},
		{"grants", "[-json] -dir D -tenant DID | -key JWK.json URL", "list a tenant's grants, and which are good", runGrants},
		{"version", "", "print the versions of program, wire format and build", runVersion},
	}
}

// errUsage reports a command line that cannot be understood: exit code 2.
var errUsage = errors.New("usage")

func run(ctx context.Context, s std, args []string) int {
	if len(args) == 0 {
		usage(s.err)
		return 2
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
		usage(s.out)
		return 0
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return exitCode(s, c, c.run(ctx, s, newFlags(s, c, args[1:])))
		}
	}
	fmt.Fprintf(s.err, "dwnsync: there is no command %q\n", args[0])
	usage(s.err)
	return 2
}

func exitCode(s std, c command, err error) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(s.err, "dwnsync %s: %s\nusage: dwnsync %s %s\n", c.name, strings.TrimPrefix(err.Error(), "usage: "), c.name, c.args)
		return 2
	default:
		fmt.Fprintf(s.err, "dwnsync %s: %v\n", c.name, err)
		return 1
	}
}

func usage(w io.Writer) {
	fmt.Fprint(w, "dwnsync keeps DWN messages in a folder and syncs them with other nodes.\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  dwnsync %-8s %s\n%20s%s\n", c.name, c.args, "", c.what)
	}
	fmt.Fprint(w, "\ndwnsync COMMAND -h tells a command's flags; each can be given by the environment: -dir as DWNSYNC_DIR.\n")
}
