// Package bench measures what dwnsync costs. It has one test file per question of
// RESULTS.md:
//
//	io_test.go         where does the time of a filter over everything go, from a cold disk on?
//	saves_test.go      what do segments save, and where do they save nothing?
//	filters_test.go    what does a filter cost?
//	segments_test.go   what does a filter cost that is kept up to date?
//	lost_test.go       what does a filter lose for ever, if nobody checks?
//	links_test.go      how long does a sync take over a slow network?
//	memory_test.go     how much memory do filters and syncs take?
//	reconcile_test.go  what do the strategies send and compute, beside other systems?
//	strategies_test.go what do views cost that keep their summaries, case by case?
//	real_test.go       and on real data: the shipped corpus, and any git repository?
//	sync_test.go       what does a sync of real messages between two stores cost?
//	summary_test.go    what does it cost to keep linear summaries, and to ask them?
//	sketches_test.go   how many cells does a difference take, and how long to decode?
//	estimate_test.go   how well is a difference estimated?
//	ideal_test.go      the smallest sketch of a difference, without making one of every size
//	open_test.go       what does opening a node take that keeps summaries?
//
// The other systems are those of bench/internal/baseline. The module in bench/peers
// measures the filters beside other libraries.
//
// Run all of them at small sizes, in less than ten minutes on two cores, or one of them with
//
//	go test -run '^$' -bench . ./bench
//	go test -run '^$' -bench Reconcile -benchtime 20x ./bench -large
//	go test -run '^$' -bench Real -benchtime 20x ./bench -git ~/src/linux -revisions v6.1,v6.2
//
// Where -benchtime is not given, each benchmark takes 20 milliseconds, and at least one
// operation: enough for what grows a thousandfold, too little to tell ten per cent apart.
// Where salts decide how many rounds a sync takes, -benchtime Nx averages over N of them.
// Further flags, behind the name of the package:
//
//	-large          sets of up to a million keys, messages or items too
//	-huge           filters, stores and views of ten million too
//	-seed N         fixes the salts of the syncs
//	-git DIR        real_test.go reconciles commits of this git repository too (absolute, or
//	                relative to bench): the initiator holds those that A reaches, the
//	-revisions A,B  responder those of B, each a branch, a tag or what git rev-list takes
//	-fixtures DIR   keeps the stores that io_test.go and open_test.go read, for the next run
//
// Every part of a benchmark's name after the first is a key=value pair, so that
// tools can group by it. The plain go test runs each benchmark at its smallest, and fails
// where what it reports makes no sense.
//
// ./scripts/results runs it several times and writes RESULTS.md.
package bench
