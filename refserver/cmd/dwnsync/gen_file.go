package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dwn-sync/dwnsync/datasets"
)

// checkFiles finds one file being named for both key and messages, which would be
// lost to the other.
func checkFiles(key, out string) error {
	if key == "" || out == "" {
		return nil
	}
	one, err := sameFile(key, out)
	if err == nil && one {
		err = fmt.Errorf("%w: -key and -out are the same file, %s", errUsage, out)
	}
	return err
}

// sameFile reports whether two names are of one file, or would be once it is made.
func sameFile(a, b string) (bool, error) {
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	if err := errors.Join(errA, errB); err != nil || a == b {
		return a == b, err
	}
	if one, exist := sameInfo(a, b); exist {
		return one, nil
	}
	folder, _ := sameInfo(filepath.Dir(a), filepath.Dir(b))
	return folder && filepath.Base(a) == filepath.Base(b), nil
}

// sameInfo reports whether two names that exist are of one file or folder.
func sameInfo(a, b string) (one, exist bool) {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA != nil || errB != nil {
		return false, false
	}
	return os.SameFile(infoA, infoB), true
}

// generateFile writes messages to a file, which has the name once all are there: an
// error or a signal leaves what was there before.
func generateFile(ctx context.Context, s std, name string, opt datasets.GenerateOptions) (err error) {
	file, done, err := replacement(name)
	if err != nil {
		return err
	}
	defer func() { err = done(err) }()
	if !strings.HasSuffix(name, ".gz") {
		return generate(ctx, s, file, opt)
	}
	zipped := gzip.NewWriter(file)
	if err := generate(ctx, s, zipped, opt); err != nil {
		return err
	}
	return zipped.Close()
}

// replacement opens a file that takes the place of a name, or of what it links to,
// when done is called without an error, and is removed when with one. What is no
// plain file, such as a pipe, is written to as it is.
func replacement(name string) (file *os.File, done func(error) error, err error) {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		file, err = os.OpenFile(name, os.O_WRONLY, 0)
		return file, func(err error) error { return errors.Join(err, file.Close()) }, err
	}
	target := name
	if linked, err := filepath.EvalSymlinks(name); err == nil {
		target = linked
	}
	file, err = os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*") // its owner alone reads it
	if err != nil {
		if where := (*fs.PathError)(nil); errors.As(err, &where) {
			where.Path = name // what the user knows
		}
		return nil, nil, err
	}
	return file, func(err error) error {
		if err = errors.Join(err, file.Close()); err == nil {
			err = os.Rename(file.Name(), target)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
		return err
	}, nil
}
