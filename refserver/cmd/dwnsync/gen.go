package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/refserver"
)

// runGen writes generated messages as JSON lines, which import reads: those of
// datasets.Generate, so the same flags give the same lines everywhere. The DID of
// their tenant goes to stdout, or to stderr where the messages are on stdout.
func runGen(ctx context.Context, s std, f *flags) error {
	n := f.Int("n", 1000, "how many `messages`; those of a smaller number are the first of a larger")
	seed := f.Uint64("seed", 0, "`number` that fixes the tenant, its key and the messages")
	out := f.String("out", "", "`file` for the messages, compressed if it ends in .gz; replaced, once all are made, if it is there; default stdout")
	key := f.String("key", "", "`file` for the tenant's throw-away private JWK, which whoever knows the seed can make")
	opt := datasets.GenerateOptions{}
	f.TextVar(&opt.Start, "start", time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), "`time` of the first message, in RFC 3339")
	f.DurationVar(&opt.Interval, "interval", time.Minute, "mean `time` between messages")
	if _, err := f.parse(0); err != nil {
		return err
	}
	opt.N, opt.Seed = *n, *seed
	if err := errors.Join(checkGen(opt), checkFiles(*key, *out)); err != nil {
		return err
	}
	did, jwk := datasets.GeneratedKey(opt.Seed)
	if *key != "" {
		if err := writeOnce(*key, append(jwk, '\n')); err != nil {
			return err
		}
	}
	if *out == "" {
		if err := generate(ctx, s, s.out, opt); err != nil {
			return err
		}
		_, err := fmt.Fprintln(s.err, did)
		return err
	}
	if err := generateFile(ctx, s, *out, opt); err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.out, did)
	return err
}

// checkGen finds what is wrong before a file is touched. The library takes zero for
// its defaults; said on the command line it is a mistake.
func checkGen(opt datasets.GenerateOptions) error {
	switch {
	case opt.N < 1:
		return fmt.Errorf("%w: -n is %d, want 1 or more", errUsage, opt.N)
	case opt.Interval == 0:
		return fmt.Errorf("%w: -interval is 0", errUsage)
	case opt.Start.IsZero():
		return fmt.Errorf("%w: -start is the year 1", errUsage)
	}
	opt.N = 1
	for _, err := range datasets.Generate(opt) {
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
	}
	return nil
}

// writeOnce writes a file that its owner alone can read, or finds it written: no
// other key is ever overwritten.
func writeOnce(name string, data []byte) error {
	err := writeNew(name, data)
	if errors.Is(err, os.ErrExist) {
		if have, readErr := os.ReadFile(name); readErr == nil && bytes.Equal(have, data) {
			return nil
		}
	}
	return err
}

// generate writes messages as they are made: memory does not grow with their number.
func generate(ctx context.Context, s std, w io.Writer, opt datasets.GenerateOptions) error {
	bar := newProgress(s, "gen")
	defer bar.done()
	out := bufio.NewWriterSize(w, 64<<10)
	lines := json.NewEncoder(out)
	n := 0
	for m, err := range datasets.Generate(opt) {
		switch {
		case errors.Is(err, datasets.ErrOptions): // past the year 9999
			return fmt.Errorf("%w: %w", errUsage, err)
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if err := lines.Encode(refserver.NewRecord(m.Tenant, m.Message, m.Data)); err != nil {
			return err
		}
		if n++; n%100 == 0 {
			bar.set(n)
		}
	}
	return out.Flush()
}
