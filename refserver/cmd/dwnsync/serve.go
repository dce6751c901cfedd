package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

const (
	drain      = 30 * time.Second // for requests under way when the server stops
	maxHeaders = 32 << 10
	minEvery   = 10 * time.Millisecond
	maxKeepMiB = 1 << 20
)

type serveFlags struct {
	dir, addr, urls, tenants *string
	open                     *bool
	peer, key, strategy      *string
	roundPrice               *priceFlag
	every                    *time.Duration
	rotateEvery, checkEvery  *time.Duration
	keepMiB                  *int64
	web                      webFlags
	tokens                   auth.Resolver // of their signers
	quota                    quotaFlags
}

// runServe runs a node until it is told to stop.
func runServe(ctx context.Context, s std, f *flags) error {
	opt := serveFlags{
		dir: f.dir(), key: f.key(),
		addr:    f.String("addr", "", "`HOST:PORT` to listen on"),
		urls:    f.String("url", "", "`URL`s under which clients call this node, separated by commas; default from -addr"),
		tenants: f.String("tenants", "", "`file` with tenants to serve, one DID a line, besides those with data here"),
		open:    f.Bool("open", false, "serve every tenant"),
		peer:    f.String("peer", "", "`URL` of a node to sync with, both ways"),
		every:   f.Duration("every", 5*time.Minute, "time between two syncs with the peer"),
		strategy: f.String("strategy", string(engine.DefaultStrategy),
			fmt.Sprintf("one of %v, for syncs with the peer", engine.Strategies())),
		roundPrice: f.roundPrice(),
		rotateEvery: f.Duration("rotate-every", 0,
			"mean `time` between two rotations of the tenants' secrets; 0 is never: everybody who learns one holds a key of the tenant, and a new one costs each of its nodes summaries and a whole filter"),
		checkEvery: f.Duration("check-every", 24*time.Hour,
			"mean `time` between two checks of the tenants' summaries against what is stored, which mend them; 0 is never"),
		keepMiB: f.Int64("keep", engine.DefaultSegmentBytes>>20, "`MiB` of memory for the filters of others, so that they next send only what has changed"),
		web:     f.didWeb(),
		quota:   f.quota(),
	}
	if _, err := f.parse(0); err != nil {
		return err
	}
	if err := opt.check(f); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(s.err, nil))
	node, err := openBounded(*opt.dir, opt.quota.quota(), log)
	if err != nil {
		return err
	}
	node.Resolver, opt.tokens = opt.web.resolvers()
	err = serveNode(ctx, s, f, opt, node.Node, log)
	return errors.Join(err, node.close())
}

func (o serveFlags) check(f *flags) error {
	if err := f.need("dir", "addr"); err != nil {
		return err
	}
	if *o.peer != "" && *o.key == "" {
		return fmt.Errorf("%w: -peer needs -key, which signs for the tenant", errUsage)
	}
	if *o.every < minEvery {
		return fmt.Errorf("%w: -every %s is too short, the least is %s", errUsage, *o.every, minEvery)
	}
	if err := errors.Join(usableUpkeep("rotate-every", *o.rotateEvery), usableUpkeep("check-every", *o.checkEvery)); err != nil {
		return err
	}
	if *o.keepMiB < 0 || *o.keepMiB > maxKeepMiB {
		return fmt.Errorf("%w: -keep %d is not between 0 and %d", errUsage, *o.keepMiB, maxKeepMiB)
	}
	if _, err := engine.ParseStrategy(*o.strategy); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return errors.Join(o.web.check(), o.quota.check())
}

// segmentBytes is -keep as refserver.ServerOptions have it.
func (o serveFlags) segmentBytes() int64 {
	if *o.keepMiB == 0 {
		return -1
	}
	return *o.keepMiB << 20
}

func serveNode(ctx context.Context, s std, f *flags, opt serveFlags, node refserver.Node, log *slog.Logger) error {
	follow, err := opt.follower(node, log)
	if err != nil {
		return err
	}
	gate, err := opt.gate(node)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *opt.addr)
	if err != nil {
		return err
	}
	origins := opt.origins(listener.Addr())
	handler, err := refserver.NewServer(node, refserver.ServerOptions{
		Origins: origins, Gate: gate, TokenResolver: opt.tokens, SegmentBytes: opt.segmentBytes(), Logger: log, Version: version(),
	})
	if err != nil {
		listener.Close()
		return fmt.Errorf("%w: -url: %w", errUsage, err)
	}
	logFlags(f, log)
	fmt.Fprintf(s.out, "listening on %s\n", opt.place(listener.Addr(), origins))
	besides := func(ctx context.Context) {
		var all sync.WaitGroup
		all.Go(func() { follow(ctx) })
		all.Go(func() { again(ctx, *opt.rotateEvery, func(ctx context.Context) { rotateAll(ctx, node, log) }) })
		all.Go(func() { again(ctx, *opt.checkEvery, func(ctx context.Context) { checkAll(ctx, node, log) }) })
		all.Wait()
	}
	return serve(ctx, listener, handler, besides, log)
}

// serve answers requests, and does what is to be done besides, until ctx is over; then it
// lets what is under way finish.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, besides func(context.Context), log *slog.Logger) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: maxHeaders,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var working sync.WaitGroup
	working.Go(func() { besides(ctx) })
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		log.Info("stopping")
		bounded, done := context.WithTimeout(context.WithoutCancel(ctx), drain)
		if err := server.Shutdown(bounded); err != nil {
			log.Warn("requests were cut off", "error", errors.Join(err, server.Close()))
		}
		done()
		<-failed
	}
	cancel()
	working.Wait()
	return err
}

// follower returns what syncs with the peer at once and then every so often.
func (o serveFlags) follower(node refserver.Node, log *slog.Logger) (func(context.Context), error) {
	if *o.peer == "" {
		return func(context.Context) {}, nil
	}
	signer, err := readKey(*o.key)
	if err != nil {
		return nil, err
	}
	client, err := refserver.NewClient(*o.peer, signer.DID(), signer, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: -peer: %w", errUsage, err)
	}
	every := *o.every
	// What one sync with the peer tells is remembered for the next.
	opt := refserver.SyncOptions{
		Strategy: engine.Strategy(*o.strategy), Direction: engine.Both, RoundPrice: int(*o.roundPrice), Segments: new(engine.SegmentMemory),
	}
	return func(ctx context.Context) {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			followOnce(ctx, client, node, opt, log)
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}, nil
}

func followOnce(ctx context.Context, client *refserver.Client, node refserver.Node, opt refserver.SyncOptions, log *slog.Logger) {
	r, err := syncRemembering(ctx, client, node, opt, log)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		log.Warn("sync with peer failed", "error", err)
	case r.MessagesReceived+r.MessagesSent > 0:
		log.Info("synced with peer", "received", r.MessagesReceived, "sent", r.MessagesSent, "rounds", r.Rounds,
			"summary_bytes", r.SummaryBytes, "delivered", r.Delivered)
	}
}

func (o serveFlags) gate(node refserver.Node) (auth.Gate, error) {
	opt := auth.GateOptions{Open: *o.open, Present: node.Store.Has}
	if *o.tenants != "" {
		file, err := os.Open(*o.tenants)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		if opt.Allowed, err = auth.ParseAllowList(file); err != nil {
			return nil, fmt.Errorf("%s: %w", *o.tenants, err)
		}
	}
	return auth.NewGate(opt)
}

// origins returns the URLs that tokens may be made for: those given or, for an
// address of this machine, all its usual names.
func (o serveFlags) origins(addr net.Addr) []string {
	if *o.urls != "" {
		return strings.Split(*o.urls, ",")
	}
	host, _, _ := net.SplitHostPort(*o.addr) // it was listened on, so it parses
	_, port, _ := net.SplitHostPort(addr.String())
	ip := net.ParseIP(host)
	if host == "localhost" || host == "" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		return []string{"http://127.0.0.1:" + port, "http://localhost:" + port, "http://[::1]:" + port}
	}
	return []string{"http://" + net.JoinHostPort(host, port)}
}

// place says where the node listens and, where that is not how clients call it, how they do.
func (o serveFlags) place(addr net.Addr, origins []string) string {
	if *o.urls == "" {
		return origins[0]
	}
	return fmt.Sprintf("http://%s as %s", addr, strings.Join(origins, " "))
}

// logFlags tells the effective configuration. No flag holds a secret: -key names a file.
func logFlags(f *flags, log *slog.Logger) {
	var values []any
	f.VisitAll(func(fl *flag.Flag) { values = append(values, fl.Name, fl.Value.String()) })
	log.Info("configuration", values...)
}
