// Package scripts_test holds the module to its layout: what stands at the top
// level, who imports whom, and how many modules a user of the library pulls in.
package scripts_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/dwn-sync/dwnsync/"

// may lists, for every package of ours, which others of ours it may import. A
// path ending in "/" stands for everything below it.
var may = map[string][]string{
	"filters":                   {"filters/internal/"},
	"filters/internal/ribbon":   {},
	"filters/filterstest":       {"filters"},
	"engine/summary":            {"filters"},
	"engine/wire":               {"engine/summary", "filters"},
	"engine":                    {"engine/wire", "engine/summary", "filters"},
	"engine/enginetest":         {"engine", "engine/summary", "engine/wire"},
	"engine/dwn":                {"engine/summary"},
	"engine/dwn/datacid":        {},
	"datasets":                  {"engine/dwn", "engine/dwn/datacid"},
	"refserver/auth":            {"engine/dwn", "engine/summary"},
	"refserver/store":           {"engine/dwn", "engine/dwn/datacid", "engine/summary"},
	"refserver/store/badger":    {"refserver/store", "engine/dwn", "engine/dwn/datacid", "engine/summary"},
	"refserver/store/storetest": {"refserver/store", "engine/dwn", "engine/dwn/datacid", "engine/summary"},
	"refserver/summaries":       {"refserver/store", "engine/summary", "engine/dwn"},
	"refserver":                 {"refserver/", "engine", "engine/", "filters"},
	"refserver/cmd/dwnsync":     {"refserver", "refserver/", "engine", "engine/", "filters", "datasets"},
	"bench":                     {"filters", "engine", "engine/", "refserver", "refserver/", "datasets", "bench/internal/"},
}

// rule returns the entry of may that covers pkg: its own, or that of bench for
// packages below it.
func rule(pkg string) ([]string, bool) {
	if strings.HasPrefix(pkg, "bench/") {
		pkg = "bench"
	}
	allowed, ok := may[pkg]
	return allowed, ok
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func allowed(rules []string, path string) bool {
	return slices.ContainsFunc(rules, func(r string) bool {
		return r == path || strings.HasSuffix(r, "/") && strings.HasPrefix(path, r)
	})
}

func TestImportDirections(t *testing.T) {
	for _, line := range goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], module)
		if strings.HasPrefix(pkg, "scripts") {
			continue
		}
		rules, ok := rule(pkg)
		if !ok {
			t.Errorf("%s: no room for it in the house; give it one in this test", pkg)
		}
		for _, imported := range fields[1:] {
			path, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			if !allowed(rules, path) || strings.HasPrefix(path, "bench") && !strings.HasPrefix(pkg, "bench") || strings.HasPrefix(path, "scripts") || strings.HasPrefix(path, "refserver/cmd") {
				t.Errorf("%s imports %s", pkg, path)
			}
		}
	}
}

// TestModuleBudget: who imports engine and filters gets at most eight modules with them.
func TestModuleBudget(t *testing.T) {
	const budget = 8
	modules := goList(t, "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./filters/...", "./engine", "./engine/enginetest", "./engine/summary", "./engine/wire")
	modules = slices.DeleteFunc(modules, func(m string) bool { return m == "" || m+"/" == module })
	slices.Sort(modules)
	if modules = slices.Compact(modules); len(modules) > budget {
		t.Errorf("%d modules, at most %d: %v", len(modules), budget, modules)
	}
}

func TestTopLevel(t *testing.T) {
	known := strings.Fields("go.mod go.sum engine filters bench refserver datasets scripts RESULTS.md README.md LICENSE SPEC.md CHANGELOG.md testdata")
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(known, e.Name()) {
			t.Errorf("%s does not belong at the top level", e.Name())
		}
	}
}

// TestReadmeExample: the Go of the README is that of an example which runs.
func TestReadmeExample(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../engine/example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, ok := strings.Cut(string(readme), "```go\n")
	code, _, closed := strings.Cut(code, "```")
	if !ok || !closed {
		t.Fatal("the README has no Go")
	}
	for line := range strings.Lines(code) {
		if !strings.Contains(string(example), strings.TrimSpace(line)) {
			t.Errorf("not in the example: %s", line)
		}
	}
}
