package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/cpu"
)

// pass is one file of raw results.
type pass struct {
	file, bench, benchtime string
	of                     binary
	count                  int
	flags                  []string
	// seeded passes have another seed in every run, so that the luck of a few salts
	// does not pass for a property of a strategy.
	seeded bool
}

// binary is a test binary: the package in a directory, built with tags.
type binary struct{ name, dir, tags string }

func ours() binary  { return binary{"bench", "bench", ""} }
func peers() binary { return binary{"peers", "bench/peers", ""} }

// portable is peers without assembly.
func portable() binary { return binary{"portable", "bench/peers", "purego"} }

func passes(opt options) []pass {
	var n []string // the sizes of filters
	if opt.large {
		n = append(n, "-large")
	}
	if opt.huge {
		n = append(n, "-huge")
	}
	var items []string
	if opt.large {
		items = append(items, "-large")
	}
	const (
		contest = "^BenchmarkFilter(Build|Contains)$"
		ribbons = contest + "/./^filter=(ribbon|fuse8|fuse16)$/^bits=(8|16)$"
		filters = "^BenchmarkFilter(Build|BuildParallel|Encode|Decode)$/./^bits=(8|16)$" +
			"|^BenchmarkFilterContainsBatch$/^filter=(list|golomb)$/./././^order=ascending$" +
			"|^BenchmarkFilterSegmented$"
	)
	syncs := fmt.Sprintf("%dx", opt.syncs)
	return []pass{
		{file: "peers", bench: contest, benchtime: opt.benchtime, of: peers(), count: opt.count, flags: n},
		{file: "portable", bench: ribbons, benchtime: opt.benchtime, of: portable(), count: opt.count, flags: n},
		// Repeating this one and the last would say nothing new: seeds fix all they are
		// read for.
		{file: "quality", bench: "^BenchmarkFilterQuality$", benchtime: "1x", of: peers(), count: 1, flags: n},
		{file: "filters", bench: filters, benchtime: opt.benchtime, of: ours(), count: opt.count, flags: n},
		{file: "sync", bench: "^BenchmarkSync$", benchtime: syncs, of: ours(), count: opt.count, seeded: true},
		{file: "engine", bench: "^BenchmarkEngine$", benchtime: syncs, of: ours(), count: opt.count, flags: items, seeded: true},
		{file: "salts", bench: "^BenchmarkEngine$", benchtime: fmt.Sprintf("%dx", opt.salts), of: ours(), count: 1, seeded: true},
	}
}

// measure runs passes and returns the text of their files. Each benchmark of a pass is
// run once before any is run again, so that a change of the machine's speed meets all of
// them alike.
func measure(ctx context.Context, opt options, passes []pass, log io.Writer) (raw map[string][]byte, err error) {
	dir, err := os.MkdirTemp("", "dwnsync-results-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for _, b := range []binary{ours(), peers(), portable()} {
		if err := b.build(ctx, dir); err != nil {
			return nil, err
		}
	}
	header, err := config(ctx, opt)
	if err != nil {
		return nil, err
	}
	raw = map[string][]byte{}
	for _, p := range passes {
		text := fmt.Appendf(nil, "%sbenchtime: %s\ncount: %d\n", header, p.benchtime, p.count)
		for i := range p.count {
			start := time.Now()
			out, err := p.run(ctx, dir, i)
			if err != nil {
				return nil, err
			}
			text = append(text, out...)
			fmt.Fprintf(log, "%s: run %d of %d took %v\n", p.file, i+1, p.count, time.Since(start).Round(time.Second))
		}
		raw[p.file] = text
	}
	return raw, nil
}

// build writes the binary into the directory to.
func (b binary) build(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-tags", b.tags, "-o", filepath.Join(to, b.name), ".")
	cmd.Dir = b.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the benchmarks in %s: %w\n%s", b.dir, err, out)
	}
	return nil
}

// run runs the pass once, by the binary that was built into a directory.
func (p pass) run(ctx context.Context, built string, seed int) ([]byte, error) {
	args := append([]string{"-test.run=^$", "-test.timeout=0", "-test.bench=" + p.bench, "-test.benchtime=" + p.benchtime}, p.flags...)
	if p.seeded {
		args = append(args, fmt.Sprint("-seed=", seed))
	}
	cmd := exec.CommandContext(ctx, filepath.Join(built, p.of.name), args...)
	cmd.Dir = p.of.dir
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s%s", p.bench, err, out, failed.Bytes())
	}
	return out, nil
}

// store writes raw files into dir.
func store(dir string, raw map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range raw {
		if err := os.WriteFile(filepath.Join(dir, name+".txt"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// config are the lines in front of each raw file; go test adds system and processor.
func config(ctx context.Context, opt options) (string, error) {
	versions, err := libraries(ctx)
	if err != nil {
		return "", err
	}
	simd := "none"
	if avx512() {
		simd = "avx512"
	}
	return fmt.Sprintf("command: %s\ndate: %s\ncommit: %s\ngo: %s\ncores: %d\nsimd: %s\nlibraries: %s\n",
		opt.command(), opt.date, commit(ctx), runtime.Version(), runtime.NumCPU(), simd, versions), nil
}

// command is what brings these results about again.
func (opt options) command() string {
	command := fmt.Sprintf("./scripts/results -count %d -benchtime %s -syncs %d -salts %d", opt.count, opt.benchtime, opt.syncs, opt.salts)
	if opt.large {
		command += " -large"
	}
	if opt.huge {
		command += " -huge"
	}
	return command
}

// avx512 reports whether the processor has what the assembly of ribbon needs.
func avx512() bool {
	x := cpu.X86
	return x.HasBMI2 && x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512VPOPCNTDQ
}

// libraries names the peers with their versions.
func libraries(ctx context.Context) (string, error) {
	const format = "{{if not (or .Main .Indirect .Replace)}}{{.Path}} {{.Version}}{{end}}"
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-f", format, "all")
	cmd.Dir = peers().dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("listing the libraries in %s: %w", cmd.Dir, err)
	}
	lines := slices.DeleteFunc(strings.Split(string(out), "\n"), func(l string) bool { return l == "" })
	return strings.Join(lines, ", "), nil
}

// commit names the state of the code, as far as git can tell.
func commit(ctx context.Context) string {
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	changes, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output()
	if err != nil || len(changes) > 0 {
		return strings.TrimSpace(string(head)) + " with changes"
	}
	return strings.TrimSpace(string(head))
}
