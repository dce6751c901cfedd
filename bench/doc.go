// Package bench measures what dwnsync costs. It has one test file per question of
// RESULTS.md:
//
//	filters_test.go  what does a filter cost?
//	sync_test.go     what does a sync between two nodes cost?
//	engine_test.go   how does that grow with the number of items?
//
// Run it with
//
//	go test -bench . ./bench
//
// and with -large for a million keys and items. Every part of a benchmark's name
// after the first is a key=value pair, so that tools can group by it. The plain
// go test runs each benchmark once, and fails where what it reports makes no sense.
//
// ./scripts/results runs it several times and writes RESULTS.md.
package bench
