package refserver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// tokenTime is how long a client has to send its head and token: until it is known
// who it is, patience is short.
const tokenTime = 10 * time.Second

// patientReader is the body of a request, read at the client's pace.
type patientReader struct {
	control *http.ResponseController
	r       io.Reader
	pace    pace
	strange bool // the deadline of routes stands
}

func newPatientReader(w http.ResponseWriter, r io.Reader) *patientReader {
	return &patientReader{control: http.NewResponseController(w), r: r}
}

// Read returns io.ErrUnexpectedEOF for a client that is gone or given up.
func (p *patientReader) Read(b []byte) (int, error) {
	start := time.Now()
	if !p.strange {
		_ = p.control.SetReadDeadline(start.Add(p.pace.left())) // not every connection has deadlines
	}
	n, err := p.r.Read(b)
	p.pace.passed(n, start)
	var tooLarge *http.MaxBytesError
	if err != nil && err != io.EOF && !errors.As(err, &tooLarge) {
		err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	return n, err
}

// patientWriter is the body of an answer, flushed at every write, at the client's pace.
type patientWriter struct {
	control *http.ResponseController
	w       io.Writer
	pace    pace
}

func newPatientWriter(w http.ResponseWriter) *patientWriter {
	return &patientWriter{control: http.NewResponseController(w), w: w}
}

// Write cuts b into pieces, so that each has a deadline of its own.
func (p *patientWriter) Write(b []byte) (int, error) {
	const piece = 64 << 10
	done := 0
	for done < len(b) {
		start := time.Now()
		_ = p.control.SetWriteDeadline(start.Add(p.pace.left())) // not every connection has deadlines
		n, err := p.w.Write(b[done:min(len(b), done+piece)])
		if err == nil {
			err = p.flush()
		}
		p.pace.passed(n, start)
		if done += n; err != nil {
			return done, err
		}
	}
	return done, nil
}

func (p *patientWriter) flush() error {
	if err := p.control.Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil // the end of the answer flushes
}
