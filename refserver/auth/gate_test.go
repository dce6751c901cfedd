package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestGate(t *testing.T) {
	const here, listed, unknown = "did:web:here.example", "did:web:listed.example", "did:web:unknown.example"
	broken := errors.New("disk on fire")
	present := func(_ context.Context, tenant string) (bool, error) { return tenant == here, nil }
	for _, c := range []struct {
		name string
		opt  GateOptions
		want map[string]error
	}{
		{"closed", GateOptions{}, map[string]error{here: ErrNotAdmitted, listed: ErrNotAdmitted, "": ErrNotAdmitted}},
		{"present", GateOptions{Present: present}, map[string]error{here: nil, listed: ErrNotAdmitted, unknown: ErrNotAdmitted}},
		{"listed", GateOptions{Allowed: []string{listed}}, map[string]error{here: ErrNotAdmitted, listed: nil, unknown: ErrNotAdmitted, listed + "x": ErrNotAdmitted}},
		{"both", GateOptions{Present: present, Allowed: []string{listed}}, map[string]error{here: nil, listed: nil, unknown: ErrNotAdmitted}},
		{"open", GateOptions{Open: true}, map[string]error{here: nil, unknown: nil}},
		{"store fails", GateOptions{Present: func(context.Context, string) (bool, error) { return true, broken }}, map[string]error{here: broken}},
	} {
		gate, err := NewGate(c.opt)
		if err != nil {
			t.Fatal(err)
		}
		for tenant, want := range c.want {
			err := Gate(gate).Admit(t.Context(), tenant)
			if !errors.Is(err, want) {
				t.Errorf("%s: %s: got %v, want %v", c.name, tenant, err, want)
			}
			if errors.Is(want, ErrNotAdmitted) && err.Error() != ErrNotAdmitted.Error() {
				t.Errorf("%s: refusals must read alike, have %q", c.name, err)
			}
		}
	}
	if _, err := NewGate(GateOptions{Allowed: []string{listed, "alice"}}); !errors.Is(err, ErrDID) {
		t.Errorf("got %v, want %v", err, ErrDID)
	}
}

func TestParseAllowList(t *testing.T) {
	text := "# tenants of this node\n\ndid:web:a.example\r\n  did:web:b.example\t# Bob\n#did:web:c.example\n   # indented\ndid:web:d.example"
	got, err := ParseAllowList(strings.NewReader(text))
	if want := []string{"did:web:a.example", "did:web:b.example", "did:web:d.example"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for text, line := range map[string]int{
		"alice":                                       1,
		"\n\ndid:web:a b":                             3,
		"did:web:a\ndid:web:b did:web:c":              2,
		"did:key:z6Mk#z6Mk":                           1,
		"did:web:a\n" + strings.Repeat("a", 5e3):      2,
		"# fine\ndid:web:" + strings.Repeat("a", 3e3): 2,
		"\xef\xbb\xbfdid:web:a":                       1,
	} {
		_, err := ParseAllowList(strings.NewReader(text))
		if !errors.Is(err, ErrAllowList) || !strings.Contains(err.Error(), fmt.Sprintf("line %d:", line)) {
			t.Errorf("%.20q: got %v, want %v in line %d", text, err, ErrAllowList, line)
		}
	}
	broken := errors.New("disk on fire")
	if _, err := ParseAllowList(iotest.ErrReader(broken)); !errors.Is(err, broken) || errors.Is(err, ErrAllowList) {
		t.Errorf("got %v, want %v", err, broken)
	}
}
