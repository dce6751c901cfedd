// Command results measures with the benchmarks of package bench and writes RESULTS.md.
// Run it in the root of the repository, by ./scripts/results.
//
//	results [run]           measures everything, writes bench/results and RESULTS.md
//	results render          writes RESULTS.md and its plots again from bench/results
//	results quick           measures a quick form and compares its findings
//	results compare OLD NEW compares two folders or files of measurements
//
// What was measured is kept in bench/results in the Go benchmark format.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

const (
	rawDir = "bench/results"
	output = "RESULTS.md"
)

var (
	errUsage   = errors.New("usage")
	errDiffers = errors.New("a finding differs")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "results:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "results:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	command := "run"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	opt, err := parse(command, args, log)
	if err != nil {
		return err
	}
	switch command {
	case "run":
		if err := measure(ctx, opt, rawDir, log); err != nil {
			return err
		}
		return renderAll(rawDir, ".")
	case "render":
		return renderAll(rawDir, ".")
	case "quick":
		return quick(ctx, opt, out, log)
	default:
		return compare(opt.args[0], opt.args[1], out)
	}
}

// options are the flags of the command.
type options struct {
	count       int
	benchtime   string
	large, huge bool
	quick       bool
	fixtures    string   // folder of prepared stores, "" for none that outlives the run
	only        []string // files to measure, nil for all
	out         string   // folder of a quick form, "" for a temporary one
	git         string   // folder of a repository to reconcile too, "" for none
	revisions   string   // of it: A,B
	args        []string // what is no flag
	given       string   // how the command was given
	now         time.Time
}

func parse(command string, args []string, log io.Writer) (options, error) {
	opt := options{count: 6, benchtime: "50ms", now: time.Now().UTC()}
	opt.given = strings.TrimSpace("./scripts/results " + command + " " + strings.Join(args, " "))
	f := flag.NewFlagSet("results "+command, flag.ContinueOnError)
	f.SetOutput(log)
	wantArgs, only := 0, ""
	switch command {
	case "run":
		f.IntVar(&opt.count, "count", opt.count, "how often each benchmark is run, at least 6")
		f.StringVar(&opt.benchtime, "benchtime", opt.benchtime, "how long a benchmark of a filter is run, as of go test")
		f.BoolVar(&opt.large, "large", false, "measure with a million keys and items too")
		f.BoolVar(&opt.huge, "huge", false, "measure filters, stores and views of ten million too, once or twice")
		f.StringVar(&only, "only", "", "measure only these files, as in io,links; the others are kept")
		f.StringVar(&opt.git, "git", "", "folder of a git repository whose commits are reconciled too, with -revisions")
		f.StringVar(&opt.revisions, "revisions", "", "A,B: with -git, the initiator holds the commits that A reaches, the responder those of B")
	case "quick":
		opt.quick, opt.count, opt.benchtime = true, quickCount, "20ms"
		f.StringVar(&opt.out, "out", "", "folder of what is measured; a new temporary one if none is given")
		f.StringVar(&only, "only", "", "measure only these files, as in io,links; take the others from -out")
	case "render":
	case "compare":
		wantArgs = 2
	default:
		return opt, fmt.Errorf("%w: %q is no command; there are run, render, quick and compare", errUsage, command)
	}
	if command == "run" || command == "quick" {
		f.StringVar(&opt.fixtures, "fixtures", "", "folder in which prepared stores are kept from run to run")
	}
	err := f.Parse(args)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return opt, err
		}
		return opt, fmt.Errorf("%w: %w", errUsage, err)
	}
	if only != "" {
		opt.only = strings.Split(only, ",")
	}
	if opt.git != "" {
		if opt.git, err = filepath.Abs(opt.git); err != nil { // benchmarks run in their own folder
			return opt, err
		}
	}
	opt.args = f.Args()
	return opt, opt.check(command, wantArgs)
}

func (opt options) check(command string, wantArgs int) error {
	if len(opt.args) != wantArgs {
		return fmt.Errorf("%w: %s has %d arguments, want %d", errUsage, command, len(opt.args), wantArgs)
	}
	if command == "run" && opt.count < enough { // fewer give no interval of 95 %
		return fmt.Errorf("%w: -count %d, want %d or more", errUsage, opt.count, enough)
	}
	if opt.huge && !opt.large {
		return fmt.Errorf("%w: -huge takes -large", errUsage)
	}
	if (opt.git == "") != (opt.revisions == "") {
		return fmt.Errorf("%w: want -git DIR together with -revisions A,B", errUsage)
	}
	_, err := selected(passes(opt), opt.only)
	return err
}
