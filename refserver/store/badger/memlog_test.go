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
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// memLogOf is a log as a process leaves it that ends without closing its store.
type memLogOf struct {
	dir  string // of the store, which is still open
	data []byte // the log, with some zeros after its last transaction
	ends []int  // where its transactions end: of batches of 20 messages, the last that of a secret
}

const memBatches = 10

func leaveLog(t *testing.T) memLogOf {
	t.Helper()
	log := memLogOf{dir: t.TempDir()}
	s := openTest(t, log.dir, Options{})
	logged := func() {
		f, err := os.Open(filepath.Join(log.dir, contentName, "00001.mem"))
		if err != nil {
			t.Fatal(err)
		}
		end, err := verifyMemLog(f, true)
		if err != nil {
			t.Fatal(err)
		}
		log.ends = append(log.ends, int(end))
		log.data = make([]byte, end+4096)
		if _, err := f.ReadAt(log.data, 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	logged() // what Open itself wrote
	for batch := range slices.Chunk(deletes(t, memBatches*20), 20) {
		if _, err := s.Tenant("did").Put(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		logged()
	}
	if _, err := s.Tenant("did").KeepSecret(t.Context(), store.Secret{Generation: 1}); err != nil {
		t.Fatal(err)
	}
	logged()
	return log
}

// deletes returns n messages.
func deletes(t *testing.T, n int) (entries []store.Entry) {
	t.Helper()
	for i := range n {
		entries = append(entries, store.Entry{Message: deleteOf(t, "record "+strconv.Itoa(i))})
	}
	return entries
}

// secret returns where the last transaction begins.
func (log memLogOf) secret() int { return log.ends[len(log.ends)-2] }

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

func verifyLog(data []byte, newest bool) (int, error) {
	end, err := verifyMemLog(bytes.NewReader(data), newest)
	return int(end), err
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
	t.Run("last flipped", log.testLastFlipped)
	t.Run("cut", log.testCut)
	t.Run("torn", log.testTorn)
	t.Run("opened", log.testOpened)
}

// testFlipped flips a bit of a log that more than one transaction follows: that
// is refused, or nothing is lost.
func (log memLogOf) testFlipped(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 0))
	harmless, flips := 0, 0
	for at := 0; at < log.secret(); at += long(401) {
		flips++
		bit := byte(1) << rng.IntN(8)
		log.data[at] ^= bit
		end, err := verifyLog(log.data, true)
		switch {
		case err == nil && end == log.ends[len(log.ends)-1]:
			harmless++
		case !errors.Is(err, store.ErrCorrupt):
			t.Errorf("a bit of byte %d flipped: whole to byte %d of %d (%v)", at, end, len(log.data), err)
		}
		if _, err := verifyLog(log.data, false); err == nil && end != log.ends[len(log.ends)-1] {
			t.Errorf("a bit of byte %d of an older log flipped: not noticed", at)
		}
		log.data[at] ^= bit
	}
	if harmless > memHead {
		t.Errorf("%d bits do no harm", harmless)
	}
	t.Logf("%d bits in %d bytes, %d of them without a use", flips, log.secret(), harmless)
}

// testLastFlipped flips bits of the last transaction. Of the newest log, that is
// what cannot be told from a crash; of an older one, it is noticed.
func (log memLogOf) testLastFlipped(t *testing.T) {
	last := log.ends[len(log.ends)-1]
	for at := log.secret(); at < last; at += long(3) {
		log.data[at] ^= 4
		if end, err := verifyLog(log.data, true); err != nil || end != log.secret() {
			t.Errorf("byte %d of the newest log: whole to byte %d, want %d (%v)", at, end, log.secret(), err)
		}
		if _, err := verifyLog(log.data, false); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("byte %d of an older log: %v", at, err)
		}
		log.data[at] ^= 4
	}
	if end, err := verifyLog(log.data, false); err != nil || end != last {
		t.Errorf("an older log is whole to byte %d, want %d (%v)", end, last, err)
	}
}

// testCut ends a log at any byte, with zeros after it or with nothing: what a
// kill leaves.
func (log memLogOf) testCut(t *testing.T) {
	for n := 0; n < len(log.data); n += long(701) {
		zeroed := append(bytes.Clone(log.data[:n]), make([]byte, len(log.data)-n)...)
		for _, data := range [][]byte{log.data[:n], zeroed} {
			want := log.wholeIn(data)
			if want == 0 && len(data) >= memHead {
				want = memHead
			}
			if end, err := verifyLog(data, true); err != nil || end != want {
				t.Fatalf("cut at byte %d: whole to byte %d, want %d (%v)", n, end, want, err)
			}
		}
	}
}

// testTorn loses sectors of the last transaction, in any order: what a power cut
// leaves. It is cut, and nothing before it. Then it loses one of an earlier transaction.
func (log memLogOf) testTorn(t *testing.T) {
	const sector = 512
	rng := rand.New(rand.NewPCG(9, 0))
	last := log.secret() // a batch is the last one here
	before := log.ends[len(log.ends)-3]
	log.ends = log.ends[:len(log.ends)-1]
	log.data = append(bytes.Clone(log.data[:last]), make([]byte, 4096)...)
	for range 9600 / long(120) {
		data := bytes.Clone(log.data)
		share := rng.Float64()
		for at := before; at < last; at = (at/sector + 1) * sector {
			if rng.Float64() < share {
				clear(data[at:min(last, (at/sector+1)*sector)])
			}
		}
		if end, err := verifyLog(data, true); err != nil || end != log.wholeIn(data) {
			t.Fatalf("whole to byte %d, want %d (%v)", end, log.wholeIn(data), err)
		}
	}
	for at := sector; at+sector < before; at += sector * long(5) {
		data := bytes.Clone(log.data)
		clear(data[at : at+sector])
		if end, err := verifyLog(data, true); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("sector at byte %d lost: whole to byte %d of %d (%v)", at, end, last, err)
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
	return appendMemEntry(dst, metaEnd, ts, endKey, strconv.FormatUint(ts, 10))
}

// TestMemLogForms verifies logs that are made by hand.
func TestMemLogForms(t *testing.T) {
	txn := func(dst []byte, ts uint64) []byte {
		return appendMemEnd(appendMemEntry(dst, metaTxn, ts, "k", "v"), ts)
	}
	head := make([]byte, memHead)
	one := txn(head[:memHead:memHead], 1)
	cut := func(data []byte, n int) []byte { return data[: len(data)-n : len(data)-n] }
	filler := bytes.Repeat([]byte("!badger!txn"), 2*maxMemEntry/len(endKey))
	tests := map[string]struct {
		data []byte
		want int // 0: refused
	}{
		"a transaction":                          {one, len(one)},
		"a key":                                  {append(bytes.Repeat([]byte{1}, memHead), one[memHead:]...), 0},
		"no transaction":                         {appendMemEntry(one[:len(one):len(one)], 0, 2, "k", "v"), 0},
		"an end alone":                           {appendMemEnd(one[:len(one):len(one)], 2), 0},
		"two timestamps":                         {appendMemEntry(appendMemEntry(one[:len(one):len(one)], metaTxn, 2, "k", "v"), metaTxn, 3, "k", "v"), 0},
		"a key without a timestamp":              {appendMemEnd(appendMemEntry(head[:memHead:memHead], metaTxn, 1, "", "v"), 1), 0},
		"a later end after what is cut":          {txn(cut(appendMemEntry(appendMemEntry(one[:len(one):len(one)], metaTxn, 2, "k", "v"), metaTxn, 2, "l", "v"), 3), 3), 0},
		"its own end after what is cut":          {appendMemEnd(cut(appendMemEntry(one[:len(one):len(one)], metaTxn, 2, "k", "v"), 3), 2), len(one)},
		"much that looks like ends":              {append(one[:len(one):len(one)], filler...), len(one)},
		"later ends far away":                    {appendMemEnd(appendMemEnd(append(append(one[:len(one):len(one)], 0), filler...), 2), 3), 0},
		"an end across two pieces of the search": {appendMemEnd(appendMemEnd(append(one[:len(one):len(one)], make([]byte, maxMemEntry-len(one)-7)...), 2), 3), 0},
	}
	if _, err := verifyLog(appendMemEntry(one[:len(one):len(one)], metaTxn, 2, "k", "v"), false); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("an older log with a transaction begun: %v", err)
	}
	for name, test := range tests {
		end, err := verifyLog(test.data, true)
		if test.want == 0 && !errors.Is(err, store.ErrCorrupt) || test.want != 0 && (err != nil || end != test.want) {
			t.Errorf("%s: whole to byte %d, want %d (%v)", name, end, test.want, err)
		}
	}
}

// FuzzMemLog verifies any bytes: what is said to be whole is whole by itself.
func FuzzMemLog(f *testing.F) {
	one := appendMemEnd(appendMemEntry(make([]byte, memHead), metaTxn, 1, "k", "v"), 1)
	f.Add(one, true)
	f.Add(appendMemEnd(append(one[:len(one):len(one)], 0x40, 0, 9), 2), true)
	f.Add(append(one[:len(one):len(one)], 0x40, 0, 0xff, 0xff, 0xff, 0xff, 0x0f), false)
	f.Fuzz(func(t *testing.T, data []byte, newest bool) {
		end, err := verifyLog(data, newest)
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if again, err := verifyLog(data[:end], false); err != nil || again != end {
			t.Fatalf("whole to byte %d, then to %d (%v)", end, again, err)
		}
	})
}

// testOpened opens stores with logs that a crash left, or that are damaged, and
// counts the messages that are there then.
func (log memLogOf) testOpened(t *testing.T) {
	whole := log.data[:log.ends[len(log.ends)-1]]
	flipped := bytes.Clone(log.data)
	flipped[log.ends[4]+100] ^= 1
	last := bytes.Clone(log.data)
	last[log.secret()+30] ^= 1
	empty := make([]byte, 4096)
	tests := []struct {
		name   string
		logs   [][]byte
		want   int // messages, -1: refused
		secret bool
	}{
		{"whole", [][]byte{whole}, 200, true},
		{"whole, zeros", [][]byte{log.data}, 200, true},
		{"whole, an empty one", [][]byte{log.data, empty}, 200, true},
		{"whole, one of no size", [][]byte{log.data, nil}, 200, true},
		{"cut", [][]byte{log.data[:log.ends[4]+100]}, 80, false},
		{"cut, zeros", [][]byte{append(log.data[:log.ends[4]+100:log.ends[4]+100], empty...)}, 80, false},
		{"cut, an empty one", [][]byte{log.data[:log.ends[4]+100], empty}, -1, false},
		{"a bit flipped", [][]byte{flipped}, -1, false},
		{"a bit of the last transaction flipped", [][]byte{last}, 200, false},
		{"nothing whole", [][]byte{bytes.Repeat([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0xff}, 99)}, 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := crashed(t, log.dir, test.logs)
			for range 2 { // what is refused stays so
				s, err := Open(dir, Options{})
				if test.want < 0 {
					if !errors.Is(err, store.ErrCorrupt) {
						t.Fatalf("got %v, want %v", err, store.ErrCorrupt)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				checkCrashed(t, s, test.want, test.secret)
				return
			}
		})
	}
}

// crashed returns a folder with the files of a store but its logs, and these.
func crashed(t *testing.T, store string, logs [][]byte) string {
	t.Helper()
	dir := t.TempDir()
	content := filepath.Join(dir, contentName)
	if err := os.Mkdir(content, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{markName, contentName + "/MANIFEST", contentName + "/KEYREGISTRY"} {
		data, err := os.ReadFile(filepath.Join(store, name))
		if err != nil {
			t.Fatal(err)
		}
		overwrite(t, filepath.Join(dir, name), data)
	}
	for i, log := range logs {
		overwrite(t, filepath.Join(content, "0000"+strconv.Itoa(i+1)+".mem"), log)
	}
	return dir
}

// checkCrashed checks what is in a store that was opened after a crash.
func checkCrashed(t *testing.T, s *Store, messages int, secret bool) {
	t.Helper()
	keys, last, err := s.Tenant("did").Keys(t.Context(), dwn.Scope{})
	if err != nil || len(keys) != messages || int(last) != messages {
		t.Fatalf("%d keys, the log ends at %d, want %d (%v)", len(keys), last, messages, err)
	}
	if _, ok, err := s.Tenant("did").Secret(t.Context()); ok != secret || err != nil {
		t.Fatalf("a secret is there: %v, want %v (%v)", ok, secret, err)
	}
	ids := make([]dwn.ID, len(keys))
	for i, key := range keys {
		ids[i] = key.ID
	}
	checkWhole(t, s.Tenant("did"), ids, 0)
}

// TestMemLogsOrder checks which log is the newest: that of the highest number, not of the
// last name. And what is cut is cut on disk.
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
		dir := t.TempDir()
		overwrite(t, filepath.Join(dir, test.names[0]), torn)
		overwrite(t, filepath.Join(dir, test.names[1]), one)
		if err := verifyMemLogs(dir); !errors.Is(err, test.want) {
			t.Errorf("%q: got %v, want %v", test.names, err, test.want)
		}
		want := torn
		if test.want == nil {
			want = one
		}
		if got, err := os.ReadFile(filepath.Join(dir, test.names[0])); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %d bytes are left, want %d (%v)", test.names, len(got), len(want), err)
		}
	}
}
