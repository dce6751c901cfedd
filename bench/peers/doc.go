// Package peers measures the filters of dwnsync beside the libraries that some of
// them wrap and those that they compete with, in one run and under the same names.
// It is a module of its own, so that the peers never become requirements of
// dwnsync. Run it in this directory with
//
//	go test -bench .
//
// and with -large for a million keys too, with -huge for ten million. The labels of a
// benchmark's name are impl (ours or raw), filter, bits (the rate asked for is
// 2^-bits), n (keys), and for queries case (hit or miss) and by (one or batch).
//
// Raw libraries are called directly, without an interface in between, and reuse
// their memory from one build to the next where they can: what ours is compared
// with is the best that a user of the library gets.
package peers
