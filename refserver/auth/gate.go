package auth

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// Gate decides which tenants a node serves. Admit returns ErrNotAdmitted for
// those it does not, in the same words whether it knows them or not, and any other
// error if it cannot tell. Implementations are safe for concurrent use.
type Gate interface {
	Admit(ctx context.Context, tenant string) error
}

// GateOptions is how a TenantGate is made. The zero value admits nobody.
type GateOptions struct {
	// Open admits every tenant.
	Open bool
	// Allowed lists tenants that are admitted, see ParseAllowList.
	Allowed []string
	// Present, if not nil, says whether the node has data of a tenant; then the
	// tenant is admitted.
	Present func(ctx context.Context, tenant string) (bool, error)
}

// TenantGate admits tenants by list, by presence, or all. Immutable, safe for
// concurrent use if Present is.
type TenantGate struct {
	open    bool
	allowed map[string]bool
	present func(ctx context.Context, tenant string) (bool, error)
}

// NewGate returns a gate. It returns ErrDID if an allowed tenant is no DID.
func NewGate(opt GateOptions) (*TenantGate, error) {
	g := &TenantGate{open: opt.Open, allowed: map[string]bool{}, present: opt.Present}
	for i, tenant := range opt.Allowed {
		if err := CheckDID(tenant); err != nil {
			return nil, fmt.Errorf("allowed tenant %d: %w", i+1, err)
		}
		g.allowed[tenant] = true
	}
	return g, nil
}

// Admit implements Gate.
func (g *TenantGate) Admit(ctx context.Context, tenant string) error {
	if g.open || g.allowed[tenant] {
		return nil
	}
	if g.present == nil {
		return ErrNotAdmitted
	}
	present, err := g.present(ctx, tenant)
	if err != nil {
		return fmt.Errorf("look for the tenant's data: %w", err)
	}
	if !present {
		return ErrNotAdmitted
	}
	return nil
}

// maxAllowed is how many tenants a list may have.
const maxAllowed = 1 << 20

// ParseAllowList reads tenants, one DID a line. Empty lines are skipped, and so is
// what follows a # at the beginning of a line or after white space. It returns
// ErrAllowList with the number of the line, counted from 1, and what is wrong.
func ParseAllowList(r io.Reader) ([]string, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), 2*MaxDID)
	var tenants []string
	n := 1
	for ; lines.Scan(); n++ {
		fields := bytes.Fields(lines.Bytes())
		for i, field := range fields {
			if field[0] == '#' {
				fields = fields[:i]
				break
			}
		}
		switch {
		case len(fields) == 0:
			continue
		case len(fields) > 1:
			return nil, fmt.Errorf("%w: line %d: want one DID and nothing else", ErrAllowList, n)
		case len(tenants) == maxAllowed:
			return nil, fmt.Errorf("%w: line %d: at most %d tenants are allowed", ErrAllowList, n, maxAllowed)
		}
		if err := CheckDID(string(fields[0])); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrAllowList, n, err)
		}
		tenants = append(tenants, string(fields[0]))
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("%w: line %d: longer than %d bytes", ErrAllowList, n, 2*MaxDID)
	} else if err != nil {
		return nil, fmt.Errorf("line %d: %w", n, err)
	}
	return tenants, nil
}
