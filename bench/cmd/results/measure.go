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

// binary is a test binary: the package in a directory, built with tags.
type binary struct{ name, dir, tags string }

func ours() binary  { return binary{"bench", "bench", ""} }
func peers() binary { return binary{"peers", "bench/peers", ""} }

// portable is peers without assembly.
func portable() binary { return binary{"portable", "bench/peers", "purego"} }

// measure runs the passes and writes each one's file into dir as soon as it is measured.
func measure(ctx context.Context, opt options, dir string, log io.Writer) error {
	todo, err := selected(passes(opt), opt.only)
	if err != nil {
		return err
	}
	built, err := os.MkdirTemp("", "dwnsync-results-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(built)
	if opt.fixtures == "" {
		opt.fixtures = filepath.Join(built, "fixtures")
	}
	if opt.fixtures, err = filepath.Abs(opt.fixtures); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	header, err := config(ctx, opt)
	if err != nil {
		return err
	}
	if strings.Contains(header, withChanges+"\n") {
		fmt.Fprintln(log, "The tree has changes that are in no commit; the raw files and RESULTS.md will say so.")
	}
	for _, b := range []binary{ours(), peers(), portable()} {
		if !slices.ContainsFunc(todo, func(p pass) bool { return p.of == b }) {
			continue
		}
		if err := b.build(ctx, built); err != nil {
			return err
		}
	}
	for _, p := range todo {
		text, err := p.measure(ctx, built, opt.fixtures, log)
		if err != nil {
			return err
		}
		head := header + p.header(ctx, opt)
		if err := os.WriteFile(filepath.Join(dir, p.file+".txt"), append([]byte(head), text...), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// header is what the file of this pass tells besides config. The format takes no
// capitals in the names.
func (p pass) header(ctx context.Context, opt options) (text string) {
	if p.of.tags != "" {
		text += "tags: " + p.of.tags + "\n"
	}
	if p.stores {
		text += "readahead-kb: " + readAhead(opt.fixtures) + "\n"
	}
	if p.file == "real" && opt.git != "" {
		name := filepath.Base(opt.git)
		if out, err := exec.CommandContext(ctx, "git", "-C", opt.git, "remote", "get-url", "origin").Output(); err == nil && bytes.HasPrefix(out, []byte("https://")) {
			name = strings.TrimSpace(string(out))
		}
		text += "git: " + name + " at " + strings.ReplaceAll(opt.revisions, ",", " and ") + "\n"
	}
	return text
}

// measure runs all parts of the pass. Each benchmark of a part is run once before any
// is run again, so that a change of the machine's speed meets all of them alike.
func (p pass) measure(ctx context.Context, built, fixtures string, log io.Writer) ([]byte, error) {
	var text []byte
	for _, part := range p.parts {
		text = fmt.Appendf(text, "benchtime: %s\ncount: %d\n", part.benchtime, part.count)
		for i := range part.count {
			start := time.Now()
			out, err := p.run(ctx, built, fixtures, part, p.seed+i)
			if err != nil {
				return nil, err
			}
			text = append(text, out...)
			fmt.Fprintf(log, "%s %s: run %d of %d took %v\n", p.file, part.bench, i+1, part.count, time.Since(start).Round(time.Second/10))
		}
	}
	return text, nil
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

// run runs a part of the pass once, by the binary that was built into a directory.
func (p pass) run(ctx context.Context, built, fixtures string, part part, seed int) ([]byte, error) {
	args := append([]string{"-test.run=^$", "-test.timeout=0", "-test.bench=" + part.bench, "-test.benchtime=" + part.benchtime}, part.flags...)
	if p.seeded {
		args = append(args, fmt.Sprint("-seed=", seed))
	}
	if p.stores {
		args = append(args, "-fixtures="+fixtures)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(built, p.of.name), args...)
	cmd.Dir = p.of.dir
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s%s", part.bench, err, out, failed.Bytes())
	}
	if !bytes.Contains(out, []byte("\nBenchmark")) {
		return nil, fmt.Errorf("%s: nothing was measured\n%s", part.bench, out)
	}
	return out, nil
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
	header := fmt.Sprintf("command: %s\ndate: %s\ncommit: %s\ngo: %s\ncores: %d\nsimd: %s\nlibraries: %s\n",
		opt.given, opt.now.Format(time.DateOnly), commit(ctx), runtime.Version(), runtime.NumCPU(), simd, versions)
	for _, unit := range exactUnits() {
		header += fmt.Sprintf("Unit %s assume=exact\n", unit)
	}
	return header, nil
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

// withChanges ends the name of a commit if the code was not that of it.
const withChanges = " with changes"

// commit names the state of the code, as far as git can tell. What this command itself
// writes is no change of it.
func commit(ctx context.Context) string {
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	changes, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--", ".", ":!"+rawDir, ":!"+output).Output()
	if err != nil || len(changes) > 0 {
		return strings.TrimSpace(string(head)) + withChanges
	}
	return strings.TrimSpace(string(head))
}
