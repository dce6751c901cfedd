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
	"strings"
	"time"
)

// pass is one file of raw results. Each of its runs has a seed of its own, so that
// the luck of a few salts does not pass for a property of a strategy.
type pass struct {
	file, bench, benchtime string
	count                  int
	large                  bool
}

func passes(opt options) []pass {
	syncs := fmt.Sprintf("%dx", opt.syncs)
	return []pass{
		{"filters", "^BenchmarkFilter", opt.benchtime, opt.count, opt.large},
		{"sync", "^BenchmarkSync$", syncs, opt.count, false},
		{"engine", "^BenchmarkEngine$", syncs, opt.count, opt.large},
		// Repeating this one would say nothing new: seeds fix all it is read for.
		{"salts", "^BenchmarkEngine$", fmt.Sprintf("%dx", opt.salts), 1, false},
	}
}

// measure runs all passes. Each benchmark is run once before any is run again, so
// that a change of the machine's speed meets all of them alike.
func measure(ctx context.Context, opt options, log io.Writer) error {
	dir, err := os.MkdirTemp("", "dwnsync-results-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "bench.test")
	if err := build(ctx, binary); err != nil {
		return err
	}
	raw := map[string][]byte{}
	header := config(ctx, opt)
	for _, p := range passes(opt) {
		text := fmt.Appendf(nil, "%sbenchtime: %s\ncount: %d\n", header, p.benchtime, p.count)
		for i := range p.count {
			start := time.Now()
			out, err := p.run(ctx, binary, i)
			if err != nil {
				return err
			}
			text = append(text, out...)
			fmt.Fprintf(log, "%s: run %d of %d took %v\n", p.file, i+1, p.count, time.Since(start).Round(time.Second))
		}
		raw[p.file] = text
	}
	return store(raw)
}

func build(ctx context.Context, binary string) error {
	out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "./bench").CombinedOutput()
	if err != nil {
		return fmt.Errorf("building the benchmarks: %w\n%s", err, out)
	}
	return nil
}

func (p pass) run(ctx context.Context, binary string, seed int) ([]byte, error) {
	args := []string{"-test.run=^$", "-test.timeout=0", "-test.bench=" + p.bench, "-test.benchtime=" + p.benchtime, fmt.Sprint("-seed=", seed)}
	if p.large {
		args = append(args, "-large")
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = "bench"
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s%s", p.bench, err, out, failed.Bytes())
	}
	return out, nil
}

// store replaces the raw files only when all of them were measured.
func store(raw map[string][]byte) error {
	if err := os.MkdirAll(rawDir, 0o755); err != nil {
		return err
	}
	for name, text := range raw {
		if err := os.WriteFile(filepath.Join(rawDir, name+".txt"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// config are the lines in front of each raw file; go test adds system and processor.
func config(ctx context.Context, opt options) string {
	command := fmt.Sprintf("./scripts/results -count %d -benchtime %s -syncs %d -salts %d", opt.count, opt.benchtime, opt.syncs, opt.salts)
	if opt.large {
		command += " -large"
	}
	return fmt.Sprintf("command: %s\ndate: %s\ncommit: %s\ngo: %s\ncores: %d\n",
		command, opt.date, commit(ctx), runtime.Version(), runtime.NumCPU())
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
