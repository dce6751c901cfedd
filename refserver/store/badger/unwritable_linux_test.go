package badger

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/dwn-sync/dwnsync/refserver/store"
	"golang.org/x/sys/unix"
)

// TestUnwritable opens folders as a user who may not write there. Only the
// thread of this test becomes that user, and it ends with the test.
func TestUnwritable(t *testing.T) {
	dir := t.TempDir()
	made := filepath.Join(dir, "made")
	if err := openTest(t, made, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(made, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(made, 0o700) })
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o055 != 0o055 && os.Getuid() == 0 {
			if err := os.Chmod(dir, info.Mode().Perm()|0o055); err != nil {
				t.Skip(err)
			}
		}
		if filepath.Dir(dir) == os.TempDir() {
			break
		}
	}
	for name, dir := range map[string]string{"a store": made, "a new folder inside": filepath.Join(made, "new")} {
		errs := make(chan error)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends here
			if os.Getuid() == 0 {
				_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, 65534, 0, 0)
			}
			_, err := Open(dir, Options{})
			errs <- err
		}()
		if err := <-errs; !errors.Is(err, store.ErrUnwritable) || !errors.Is(err, os.ErrPermission) {
			t.Errorf("%s: got %v, want %v", name, err, store.ErrUnwritable)
		}
	}
}
