package datasets

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxCommit is the most bytes that a commit may have. A changelog in a message or
// the tags of a large merge make tens of kilobytes.
const maxCommit = 64 << 20

// next returns the next commit object, io.EOF after the last, and
// io.ErrUnexpectedEOF where the output is cut.
func (h *history) next() ([]byte, error) {
	head, err := h.out.ReadString('\n')
	if err != nil {
		if err == io.EOF && head != "" {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	// "NAME commit SIZE", then the object and a line's end.
	fields := strings.Fields(head)
	if len(fields) != 3 || fields[1] != "commit" {
		return nil, fmt.Errorf("cat-file says %.100q", head)
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || size < 0 || size > maxCommit {
		return nil, fmt.Errorf("commit %.64s of %.20s bytes, want at most %d", fields[0], fields[2], maxCommit)
	}
	body, err := readBytes(h.out, int(size)+1)
	if err != nil {
		return nil, err
	}
	return body[:size:size], nil
}

// readBytes reads n bytes, and takes the memory for them as they come.
func readBytes(r io.Reader, n int) ([]byte, error) {
	const step = 64 << 10
	body := make([]byte, 0, min(n, step))
	for len(body) < n {
		from := len(body)
		more := min(n-from, max(from, step))
		body = slices.Grow(body, more)[:from+more]
		if _, err := io.ReadFull(r, body[from:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return body, nil
}

// commitTime returns the committer's time of a commit in microseconds, 0 where it
// cannot be read. The header ends with an empty line; the line is
// "committer NAME <MAIL> SECONDS ZONE".
func commitTime(commit []byte) int64 {
	header, _, _ := bytes.Cut(commit, []byte("\n\n"))
	_, line, _ := bytes.Cut(header, []byte("\ncommitter "))
	line, _, _ = bytes.Cut(line, []byte("\n"))
	fields := bytes.Fields(line[bytes.LastIndexByte(line, '>')+1:])
	if len(fields) == 0 {
		return 0
	}
	seconds, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil || seconds < 0 || seconds > math.MaxInt64/second {
		return 0
	}
	return seconds * second
}
