// Package bench measures what dwnsync costs. It has one test file per question of
// RESULTS.md:
//
//	filters_test.go   what does a filter cost?
//	segments_test.go  what does a filter cost that is kept up to date?
//	sync_test.go      what does a sync between two nodes cost?
//	engine_test.go    how does that grow with the number of items?
//
// The module in bench/peers measures the filters beside other libraries.
//
// Run it with
//
//	go test -bench . -benchtime 100ms ./bench
//
// and with -large for a million keys and items, with -huge for filters of ten million
// keys. Every part of a benchmark's name after the first is a key=value pair, so that
// tools can group by it. The plain go test runs each benchmark once, and fails where
// what it reports makes no sense.
//
// ./scripts/results runs it several times and writes RESULTS.md.
package bench
