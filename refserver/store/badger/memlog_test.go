package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// memLogOf is a log as a process leaves it that ends without closing its store.
type memLogOf struct {
	dir   string   // of the store, which is still open
	data  []byte   // the log, with some zeros after its last transaction
	ends  []int    // where its transactions end: of largeMessage, of batches of 20 messages, of a secret
	notes [][]byte // the file acknowledged after each
}

const (
	memBatches   = 10
	largeMessage = chunkSize + 10000
)

func leaveLog(t *testing.T) memLogOf {
	t.Helper()
	log := memLogOf{dir: t.TempDir()}
	s := openTest(t, log.dir, Options{})
	logged := func() {
		f, err := os.Open(filepath.Join(log.dir, contentName, "00001.mem"))
		if err != nil {
			t.Fatal(err)
		}
		end, last, err := verifyMemLog(f)
		if err != nil || last > end {
			t.Fatalf("whole to byte %d of %d (%v)", end, last, err)
		}
		log.ends = append(log.ends, int(end))
		log.data = make([]byte, end+4096)
		if _, err := f.ReadAt(log.data, 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		note, err := os.ReadFile(filepath.Join(log.dir, acknowledgedName))
		if err != nil {
			t.Fatal(err)
		}
		log.notes = append(log.notes, note)
	}
	put := func(batch []store.Entry) {
		if _, err := s.Tenant("did").Put(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		logged()
	}
	logged() // what Open itself wrote
	put([]store.Entry{{Message: deleteOf(t, strings.Repeat("r", largeMessage))}})
	for batch := range slices.Chunk(deletes(t, memBatches*20), 20) {
		put(batch)
	}
	if _, err := s.Tenant("did").KeepSecret(t.Context(), nil, store.Secret{Generation: 1}); err != nil {
		t.Fatal(err)
	}
	logged()
	return log
}

// messages returns how many are in the log up to the end of a transaction.
func (log memLogOf) messages(end int) int {
	n := slices.Index(log.ends, end)
	return min(max(0, n), 1) + 20*min(max(0, n-1), memBatches)
}

// end returns where the last transaction ends.
func (log memLogOf) end() int { return log.ends[len(log.ends)-1] }

// deletes returns n messages.
func deletes(t *testing.T, n int) (entries []store.Entry) {
	t.Helper()
	for i := range n {
		entries = append(entries, store.Entry{Message: deleteOf(t, "record "+strconv.Itoa(i))})
	}
	return entries
}

// wholeIn returns where the last transaction ends that is whole in data.
func (log memLogOf) wholeIn(data []byte) int {
	end := 0
	for _, at := range log.ends {
		if bytes.HasPrefix(data, log.data[:at]) {
			end = at
		}
	}
	return end
}

func verifyLog(data []byte) (end, last int, err error) {
	e, l, err := verifyMemLog(bytes.NewReader(data))
	return int(e), int(l), err
}

// long returns n, and a part of it in the long form of the tests.
func long(n int) int {
	if os.Getenv("DWNSYNC_LONG") != "" {
		return max(1, n/120)
	}
	return n
}

// TestMemLog damages one log in many ways.
func TestMemLog(t *testing.T) {
	log := leaveLog(t)
	t.Run("flipped", log.testFlipped)
	t.Run("cut", log.testCut)
	t.Run("torn", log.testTorn)
	t.Run("opened", log.testOpened)
	t.Run("flipped, opened", log.testOpenFlipped)
}

// testFlipped flips a bit: the log is whole up to the transaction that it is of, and
// there is more.
func (log memLogOf) testFlipped(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 0))
	harmless, flips := 0, 0
	for at := 0; at < log.end(); at += long(1201) {
		flips++
		data := bytes.Clone(log.data)
		data[at] ^= 1 << rng.IntN(8)
		end, last, err := verifyLog(data)
		switch {
		case err == nil && end == log.end() && last <= end:
			harmless++
		case at < memHead && errors.Is(err, store.ErrCorrupt):
		case err != nil || end != max(memHead, log.wholeIn(data)) || last <= end:
			t.Errorf("a bit of byte %d flipped: whole to byte %d of %d (%v)", at, end, last, err)
		}
	}
	if harmless > memHead {
		t.Errorf("%d bits do no harm", harmless)
	}
	t.Logf("%d bits in %d bytes, %d of them without a use", flips, log.end(), harmless)
}

// testCut ends a log at any byte, with zeros after it or with nothing: what a
// kill leaves.
func (log memLogOf) testCut(t *testing.T) {
	for n := memHead; n < len(log.data); n += long(2503) {
		zeroed := append(bytes.Clone(log.data[:n]), make([]byte, len(log.data)-n)...)
		for _, data := range [][]byte{log.data[:n], zeroed} {
			want := max(memHead, log.wholeIn(data))
			end, last, err := verifyLog(data)
			if more := n > want && n < log.end(); err != nil || end != want || more != (last > end) {
				t.Fatalf("cut at byte %d: whole to byte %d of %d, want %d (%v)", n, end, last, want, err)
			}
		}
	}
	if _, _, err := verifyLog(log.data[:memHead-1]); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("a log without a head: %v", err)
	}
}

// testTorn loses sectors of the last batches, in any order: what a power cut leaves.
func (log memLogOf) testTorn(t *testing.T) {
	const sector = 512
	rng := rand.New(rand.NewPCG(9, 0))
	for range 3600 / long(120) {
		data := bytes.Clone(log.data)
		share := rng.Float64()
		for at := log.ends[len(log.ends)-4]; at < log.end(); at = (at/sector + 1) * sector {
			if rng.Float64() < share {
				clear(data[at:min(log.end(), (at/sector+1)*sector)])
			}
		}
		if end, _, err := verifyLog(data); err != nil || end != log.wholeIn(data) {
			t.Fatalf("whole to byte %d, want %d (%v)", end, log.wholeIn(data), err)
		}
	}
}

// appendMemEntry appends an entry of a log.
func appendMemEntry(dst []byte, meta byte, ts uint64, key, value string) []byte {
	begin := len(dst)
	dst = append(dst, meta, 0)
	dst = binary.AppendUvarint(dst, uint64(len(key)+8))
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	dst = append(append(dst, 0), key...)
	dst = append(binary.BigEndian.AppendUint64(dst, ^ts), value...)
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[begin:], crc32.MakeTable(crc32.Castagnoli)))
}

func appendMemEnd(dst []byte, ts uint64) []byte {
	return appendMemEntry(dst, metaEnd, ts, "!badger!txn", strconv.FormatUint(ts, 10))
}

// TestMemLogForms verifies logs that are made by hand: one transaction, and what is
// none.
func TestMemLogForms(t *testing.T) {
	head := make([]byte, memHead)
	one := appendMemEnd(appendMemEntry(head, metaTxn, 1, "k", "v"), 1)
	one = one[:len(one):len(one)]
	tests := map[string]struct {
		data []byte
		want int
		more bool
	}{
		"a transaction":             {one, len(one), false},
		"no transaction":            {appendMemEntry(one, 0, 2, "k", "v"), len(one), true},
		"an end alone":              {appendMemEnd(one, 2), len(one), true},
		"no end":                    {appendMemEntry(one, metaTxn, 2, "k", "v"), len(one), true},
		"two timestamps":            {appendMemEnd(appendMemEntry(appendMemEntry(one, metaTxn, 2, "k", "v"), metaTxn, 3, "k", "v"), 3), len(one), true},
		"the end of another":        {appendMemEnd(appendMemEntry(one, metaTxn, 2, "k", "v"), 3), len(one), true},
		"a key without a timestamp": {appendMemEnd(appendMemEntry(head[:memHead:memHead], metaTxn, 1, "", "v"), 1), memHead, true},
	}
	for name, test := range tests {
		end, last, err := verifyLog(test.data)
		if err != nil || end != test.want || (last > end) != test.more {
			t.Errorf("%s: whole to byte %d of %d, want %d (%v)", name, end, last, test.want, err)
		}
	}
	if _, _, err := verifyLog(append(bytes.Repeat([]byte{1}, memHead), one[memHead:]...)); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("an encrypted log: %v", err)
	}
}

// FuzzMemLog verifies any bytes: what is said to be whole is whole by itself.
func FuzzMemLog(f *testing.F) {
	one := appendMemEnd(appendMemEntry(make([]byte, memHead), metaTxn, 1, "k", "v"), 1)
	f.Add(one)
	f.Add(appendMemEnd(append(one[:len(one):len(one)], 0x40, 0, 9), 2))
	f.Add(append(one[:len(one):len(one)], 0x40, 0, 0xff, 0xff, 0xff, 0xff, 0x0f))
	f.Fuzz(func(t *testing.T, data []byte) {
		end, _, err := verifyLog(data)
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if again, last, err := verifyLog(data[:end]); err != nil || again != end || last > end {
			t.Fatalf("whole to byte %d, then to %d of %d (%v)", end, again, last, err)
		}
	})
}

// TestMemLogsOrder checks which log is the newest: that of the highest number, not of the
// last name. It is cut, and copied before; an older one is refused.
func TestMemLogsOrder(t *testing.T) {
	one := appendMemEnd(appendMemEntry(make([]byte, memHead), metaTxn, 1, "k", "v"), 1)
	torn := append(one[:len(one):len(one)], 1)
	for _, test := range []struct {
		names []string // the first is torn
		want  error
	}{
		{[]string{"00002.mem", "00001.mem"}, nil},
		{[]string{"100000.mem", "99999.mem"}, nil},
		{[]string{"99999.mem", "100000.mem"}, store.ErrCorrupt},
	} {
		dir, aside := t.TempDir(), filepath.Join(t.TempDir(), asideName)
		overwrite(t, filepath.Join(dir, test.names[0]), torn)
		overwrite(t, filepath.Join(dir, test.names[1]), one)
		if err := verifyMemLogs(dir, aside); !errors.Is(err, test.want) {
			t.Errorf("%q: got %v, want %v", test.names, err, test.want)
		}
		want, kept := torn, []byte(nil)
		if test.want == nil {
			want, kept = one, torn
		}
		if got, err := os.ReadFile(filepath.Join(dir, test.names[0])); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %d bytes are left, want %d (%v)", test.names, len(got), len(want), err)
		}
		if got, _ := os.ReadFile(aside); !bytes.Equal(got, kept) {
			t.Errorf("%q: %d bytes were copied, want %d", test.names, len(got), len(kept))
		}
	}
}
