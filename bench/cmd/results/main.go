// Command results measures with the benchmarks of package bench and writes
// RESULTS.md. Run it in the root of the repository, by ./scripts/results.
//
// What was measured is kept in bench/results in the Go benchmark format. With
// -render nothing is measured, and RESULTS.md is written again from those files.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
)

const (
	rawDir = "bench/results"
	output = "RESULTS.md"
)

// options are the flags of the command.
type options struct {
	count           int
	syncs, salts    int
	benchtime, date string
	large, huge     bool
	render          bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stderr)
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

var errUsage = errors.New("usage")

func run(ctx context.Context, args []string, log io.Writer) error {
	opt, err := parse(args, log)
	if err != nil {
		return err
	}
	if !opt.render {
		// Files are replaced only when all of them were measured.
		raw, err := measure(ctx, opt, passes(opt), log)
		if err != nil {
			return err
		}
		if err := store(rawDir, raw); err != nil {
			return err
		}
	}
	text, err := render(rawDir)
	if err != nil {
		return err
	}
	return os.WriteFile(output, text, 0o644)
}

func parse(args []string, log io.Writer) (options, error) {
	var opt options
	f := flag.NewFlagSet("results", flag.ContinueOnError)
	f.SetOutput(log)
	f.IntVar(&opt.count, "count", 6, "how often each benchmark is run, at least 6")
	f.StringVar(&opt.benchtime, "benchtime", "50ms", "how long a benchmark of a filter is run, as of go test")
	f.IntVar(&opt.syncs, "syncs", 3, "how many syncs one run of a benchmark of them makes")
	f.IntVar(&opt.salts, "salts", 50, "how many syncs the distribution of rounds is taken from")
	f.StringVar(&opt.date, "date", "", "the date to be written (required, unless -render)")
	f.BoolVar(&opt.large, "large", false, "measure with a million keys and items too")
	f.BoolVar(&opt.huge, "huge", false, "measure filters of ten million keys too")
	f.BoolVar(&opt.render, "render", false, "do not measure, only write "+output+" from "+rawDir)
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return opt, err
		}
		return opt, fmt.Errorf("%w: %w", errUsage, err)
	}
	switch {
	case f.NArg() > 0:
		return opt, fmt.Errorf("%w: unexpected argument %q", errUsage, f.Arg(0))
	case opt.render:
	case opt.date == "":
		return opt, fmt.Errorf("%w: -date is missing", errUsage)
	case opt.count < 6: // fewer give no interval of 95 %
		return opt, fmt.Errorf("%w: -count %d, want 6 or more", errUsage, opt.count)
	case opt.salts < 1 || opt.syncs < 1:
		return opt, fmt.Errorf("%w: -salts %d, -syncs %d, want 1 or more", errUsage, opt.salts, opt.syncs)
	}
	return opt, nil
}

// render returns RESULTS.md as it follows from the files in dir.
func render(dir string) ([]byte, error) {
	var r report
	for name, to := range map[string]*samples{
		"peers": &r.peers, "portable": &r.portable, "quality": &r.quality,
		"filters": &r.filters, "sync": &r.sync, "engine": &r.engine, "salts": &r.salts,
	} {
		s, err := readSamples(filepath.Join(dir, name+".txt"))
		if err != nil {
			return nil, err
		}
		*to = s
	}
	var text bytes.Buffer
	r.write(&text)
	return text.Bytes(), nil
}
