package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

const (
	patience = 30 * time.Second // for a server to start or to stop
	poll     = 20 * time.Millisecond
)

// serversKey is where a script keeps its servers by name.
type serversKey struct{}

// startServe: startserve NAME ARGS... runs `dwnsync serve -addr 127.0.0.1:0 ARGS`
// in the background, with its log in NAME.log, and sets NAME_url once it listens.
func startServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: startserve NAME ARGS...")
	}
	path, err := exec.LookPath("dwnsync")
	ts.Check(err)
	name := args[0]
	log, err := os.Create(ts.MkAbs(name + ".log"))
	ts.Check(err)
	defer log.Close()
	cmd := exec.Command(path, append([]string{"serve", "-addr", "127.0.0.1:0"}, args[1:]...)...)
	cmd.Dir, cmd.Stderr = ts.MkAbs("."), log
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+ts.Getenv("SSL_CERT_FILE"))
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	servers(ts).Store(name, cmd)
	ts.Defer(func() {
		if _, running := servers(ts).LoadAndDelete(name); running {
			_ = cmd.Process.Kill() // the script has failed already
			_ = cmd.Wait()
		}
	})
	url, ok := strings.CutPrefix(firstLine(out), "listening on ")
	url, _, _ = strings.Cut(url, " ")
	if !ok {
		ts.Fatalf("%s does not listen:\n%s", name, ts.ReadFile(name+".log"))
	}
	ts.Setenv(name+"_url", url)
	ts.Setenv(name+"_addr", strings.TrimPrefix(url, "http://"))
}

func servers(ts *testscript.TestScript) *sync.Map { return ts.Value(serversKey{}).(*sync.Map) }

// firstLine returns the first line of r, and nothing if it does not come in time.
func firstLine(r io.Reader) string {
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(r).ReadString('\n')
		line <- strings.TrimSpace(text)
	}()
	select {
	case text := <-line:
		return text
	case <-time.After(patience):
		return ""
	}
}

// stopServe: stopserve NAME sends SIGTERM and expects exit code 0.
func stopServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: stopserve NAME")
	}
	found, running := servers(ts).LoadAndDelete(args[0])
	if !running {
		ts.Fatalf("no server %s", args[0])
	}
	cmd := found.(*exec.Cmd)
	ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	if err := cmd.Wait(); err != nil {
		ts.Fatalf("%s: %v:\n%s", args[0], err, ts.ReadFile(args[0]+".log"))
	}
}

// post: post URL KEY FILE writes every record of FILE to the server.
func post(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: post URL KEY FILE")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := client(ts, args[0], args[1])
	for _, r := range records(ts, args[2]) {
		w, err := c.PostMessage(ctx, r)
		ts.Check(err)
		ts.Logf("%s %s", w.CID, w.Outcome)
	}
}

// await: await URL KEY FILE TIME waits until the server has every message of FILE,
// for TIME at most.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: await URL KEY FILE TIME")
	}
	limit, err := time.ParseDuration(args[3])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c := client(ts, args[0], args[1])
	start := time.Now()
	for _, r := range records(ts, args[2]) {
		for {
			_, err := c.Message(ctx, r.CID)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				ts.Fatalf("%s is not there after %s: %v", r.CID, limit, err)
			}
			time.Sleep(poll)
		}
	}
	ts.Logf("there after %s", time.Since(start))
}

// awaitLog: awaitlog NAME TEXT waits until the log of a server has TEXT.
func awaitLog(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: awaitlog NAME TEXT")
	}
	for begin := time.Now(); !strings.Contains(ts.ReadFile(args[0]+".log"), args[1]); time.Sleep(poll) {
		if time.Since(begin) > patience {
			ts.Fatalf("%s does not log %q:\n%s", args[0], args[1], ts.ReadFile(args[0]+".log"))
		}
	}
}

// client calls the server at url for the tenant whose key file it is.
func client(ts *testscript.TestScript, url, key string) *refserver.Client {
	signer, err := auth.ParseSigner([]byte(ts.ReadFile(key)))
	ts.Check(err)
	c, err := refserver.NewClient(url, signer.DID(), signer, nil)
	ts.Check(err)
	return c
}
