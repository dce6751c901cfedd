// Package ribbon solves and queries sharded standard ribbon systems: the mathematics
// of the Ribbon kind of package filters, without its wire form.
package ribbon
