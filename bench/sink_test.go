package bench

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// dialSink connects to a reader on loopback that confirms what send sends.
func dialSink(tb testing.TB) net.Conn {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		conn, err := listener.Accept()
		if err != nil {
			return // the dial has failed, and says so
		}
		for err == nil {
			err = confirm(conn)
		}
		_ = conn.Close() // the other side has closed it already, or fails for want of a confirmation
	})
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		tb.Fatal(errors.Join(err, listener.Close()))
	}
	tb.Cleanup(func() {
		if err := errors.Join(conn.Close(), listener.Close()); err != nil {
			tb.Error(err)
		}
		reader.Wait()
	})
	return conn
}

// send sends body with its length before it, and waits until the other side has
// confirmed that it read all of it.
func send(conn net.Conn, body []byte) error {
	buffers := net.Buffers{binary.BigEndian.AppendUint64(nil, uint64(len(body))), body}
	if _, err := buffers.WriteTo(conn); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 1))
	return err
}

// confirm reads what one send sends and confirms it.
func confirm(conn net.Conn) error {
	var size [8]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint64(size[:]))); err != nil {
		return err
	}
	_, err := conn.Write([]byte{1})
	return err
}

// TestSend: who sends waits for the confirmation, which follows the last byte.
func TestSend(t *testing.T) {
	body := make([]byte, 100_000)
	here, there := net.Pipe()
	patience := time.Now().Add(30 * time.Second)
	if err := errors.Join(here.SetDeadline(patience), there.SetDeadline(patience)); err != nil {
		t.Fatal(err)
	}
	var got int64
	var other sync.WaitGroup
	other.Go(func() {
		_ = confirm(there) // or send fails below
		got, _ = io.CopyN(io.Discard, there, int64(8+len(body)))
		_ = there.Close() // instead of a confirmation
	})
	if err := send(here, body); err != nil {
		t.Errorf("a send that is confirmed: %v", err)
	}
	if err := send(here, body); !errors.Is(err, io.EOF) {
		t.Errorf("a send that is read and not confirmed: %v, want io.EOF", err)
	}
	other.Wait()
	if want := int64(8 + len(body)); got != want {
		t.Errorf("%d bytes came with the second send, want %d", got, want)
	}
}
