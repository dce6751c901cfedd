package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// call is one call of a history: what was asked, what was answered, and when.
type call struct {
	kind       callKind
	grant      int  // index: which is revoked, asked for or written under
	message    int  // index: which is written or looked for, or which data
	refused    bool // a push or what is sent: ErrRevoked; an ask: it is revoked
	accepted   bool // a push that was not refused: the message is new; a look or a find: it is not there
	begin, end time.Duration
}

type callKind int

const (
	callRevoke callKind = iota
	callPush
	callAsk
	callLook
	callSend // data
	callFind // data
)

// moment is what a tenant holds between two calls, a bit for each grant, message and piece of data.
type moment struct{ revoked, stored, held uint64 }

// apply does what c does, all at once, and reports whether it would answer as it did.
func (c call) apply(m moment) (moment, bool) {
	revoked, isNew := m.revoked>>c.grant&1 == 1, m.stored>>c.message&1 == 0
	switch {
	case c.kind == callRevoke:
		m.revoked |= 1 << c.grant
		return m, true
	case c.kind == callLook:
		return m, c.accepted == isNew
	case c.kind == callFind:
		return m, c.accepted == (m.held>>c.message&1 == 0)
	case c.refused || c.kind == callAsk:
		return m, c.refused == revoked
	case c.kind == callSend:
		m.held |= 1 << c.message
		return m, !revoked
	default:
		m.stored |= 1 << c.message
		return m, !revoked && c.accepted == isNew
	}
}

// linearizable reports whether the calls could have been made one after another, each at
// one moment between its begin and its end, with the same answers. Herlihy and Wing,
// "Linearizability", 1990; the search is that of Wing and Gong, 1993, which does not look twice at
// the same calls and the same moment. At most 64 calls.
func linearizable(history []call) bool {
	type visit struct {
		done uint64 // a bit for each call
		moment
	}
	seen := make(map[visit]bool)
	var search func(v visit) bool
	search = func(v visit) bool {
		if bits.OnesCount64(v.done) == len(history) {
			return true
		}
		if seen[v] {
			return false
		}
		seen[v] = true
		left := func(i int) bool { return v.done>>i&1 == 0 }
		limit := time.Duration(1<<63 - 1) // the first end: who begins later comes later
		for i, c := range history {
			if left(i) {
				limit = min(limit, c.end)
			}
		}
		for i, c := range history {
			if !left(i) || c.begin > limit {
				continue
			}
			if next, ok := c.apply(v.moment); ok && search(visit{v.done | 1<<i, next}) {
				return true
			}
		}
		return false
	}
	return search(visit{})
}

// Every history has this many callers, and each of them makes this many calls.
const (
	historyCallers = 4
	historyCalls   = 3
	historyGrants  = 2
	// Few enough that it matters which of two writes was the first.
	historyMessages = 3
)

// historyData returns a message that names the n-th piece of data, and that.
func historyData(tb testing.TB, n int) (named store.Entry, data []byte) {
	data = fmt.Appendf(nil, "data %d", n)
	return store.Entry{Message: draft{n: 90 + n, method: "Write", author: "carol", data: data}.message(tb)}, data
}

// history lets callers revoke two grants, write under them, ask for them and look for what
// was written, at the same time, and returns what happened. They write messages if seed is even,
// data if it is odd.
func history(t *testing.T, have store.Tenant, did string, seed uint64) []call {
	t.Helper()
	var grants, revocations []store.Entry
	for n := range historyGrants {
		grants = append(grants, grant(t, n, did))
		revocations = append(revocations, store.Entry{Message: revocation(n, did, grants[n].Message.RecordID()).message(t)})
	}
	batch := grants
	for n := range historyMessages {
		named, _ := historyData(t, n)
		batch = append(batch, named)
	}
	if _, err := have.Put(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	messages := notes(t, 0, historyMessages)
	all := make([]call, historyCallers*historyCalls)
	rng := rand.New(rand.NewPCG(seed, 11))
	kinds := []callKind{callRevoke, callPush, callPush, callPush, callAsk, callLook, callLook}
	if seed%2 == 1 {
		kinds = []callKind{callRevoke, callSend, callSend, callSend, callAsk, callFind, callFind}
	}
	for i := range all {
		all[i] = call{kind: kinds[rng.IntN(len(kinds))], grant: rng.IntN(historyGrants), message: rng.IntN(len(messages))}
	}
	start, base := make(chan struct{}), time.Now()
	var calling sync.WaitGroup
	for own := range historyCallers {
		calling.Go(func() {
			<-start
			for i := range historyCalls {
				c := &all[own*historyCalls+i]
				c.begin = time.Since(base)
				err := c.make(t, have, grants[c.grant].Message.RecordID(), revocations[c.grant], messages[c.message])
				c.end = time.Since(base)
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	close(start)
	calling.Wait()
	return all
}

// make makes the call and notes the answer.
func (c *call) make(t *testing.T, have store.Tenant, grant string, revocation, message store.Entry) (err error) {
	var outcomes []store.Outcome
	switch c.kind {
	case callRevoke:
		_, err = have.Put(t.Context(), []store.Entry{revocation})
	case callAsk:
		_, c.refused, err = have.Grant(t.Context(), grant)
	case callLook:
		for _, err = range have.Get(t.Context(), []dwn.ID{message.Message.ID()}) {
		}
		if c.accepted = errors.Is(err, store.ErrNotFound); c.accepted {
			err = nil
		}
	case callSend:
		named, data := historyData(t, c.message)
		d, _ := named.Message.Data()
		err = have.PutDataUnder(t.Context(), d.CID, bytes.NewReader(data), []string{grant})
	case callFind:
		named, _ := historyData(t, c.message)
		d, _ := named.Message.Data()
		var r io.ReadCloser
		if r, _, err = have.OpenData(t.Context(), d.CID); err == nil {
			return r.Close()
		}
		if c.accepted = errors.Is(err, store.ErrNotFound); c.accepted {
			err = nil
		}
	case callPush:
		outcomes, err = have.PutUnder(t.Context(), []store.Entry{message}, []string{grant})
		c.accepted = err == nil && outcomes[0] == store.Accepted
	}
	if errors.Is(err, store.ErrRevoked) {
		c.refused, err = true, nil
	}
	return err
}

// testRevocationOrder checks of many short histories that they are those of a store that
// does one thing at a time: what was written under a grant had begun before the revocation
// ended, and nothing that begins later is stored.
func testRevocationOrder(t *testing.T, b *bed) {
	histories := trials(200, 2000)
	refused, stored := 0, 0
	for seed := range uint64(histories) {
		m := newModel(fmt.Sprintf("did:example:history%d", seed))
		have := b.Tenant(m.did)
		calls := history(t, have, m.did, seed)
		if !linearizable(calls) {
			t.Fatalf("history %d is that of no order: %+v", seed, calls)
		}
		if err := loggedLate(t, have, m.did, calls); err != nil {
			t.Fatalf("history %d: %v: %+v", seed, err, calls)
		}
		if seed%10 == 0 {
			checkStored(t, have, m, calls)
		}
		for _, c := range calls {
			if c.kind != callPush && c.kind != callSend {
				continue
			}
			if c.refused {
				refused++
			} else {
				stored++
			}
		}
	}
	if min(refused, stored) < histories {
		t.Errorf("%d writes were refused and %d stored: too few to show anything", refused, stored)
	}
}

// loggedLate returns an error if the log has a message that was written under a grant
// after the grant's revocation.
func loggedLate(t *testing.T, have store.Tenant, did string, calls []call) error {
	t.Helper()
	position := make(map[dwn.ID]uint64)
	for _, e := range logOf(t, have, 1) {
		position[e.Key.ID] = e.Position
	}
	for _, c := range calls {
		if c.kind != callPush || !c.accepted {
			continue
		}
		at := position[note(t, c.message).Message.ID()]
		revoked, ok := position[revocation(c.grant, did, grant(t, c.grant, did).Message.RecordID()).message(t).ID()]
		if at == 0 || ok && at > revoked {
			return fmt.Errorf("message %d is at position %d, the revocation at %d", c.message, at, revoked)
		}
	}
	return nil
}

// checkStored compares what a history left with what its calls were told.
func checkStored(t *testing.T, have store.Tenant, m *model, calls []call) {
	t.Helper()
	for n := range historyGrants {
		m.put(grant(t, n, m.did))
	}
	for n := range historyMessages {
		named, _ := historyData(t, n)
		m.put(named)
	}
	for _, c := range calls {
		switch {
		case c.kind == callRevoke:
			m.put(store.Entry{Message: revocation(c.grant, m.did, grant(t, c.grant, m.did).Message.RecordID()).message(t)})
		case c.kind == callPush && !c.refused:
			m.put(note(t, c.message))
		case c.kind == callSend && !c.refused:
			named, data := historyData(t, c.message)
			d, _ := named.Message.Data()
			m.data[d.CID] = data
		}
	}
	m.check(t, have)
}
