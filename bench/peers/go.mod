module github.com/dwn-sync/dwnsync/bench/peers

go 1.26.0

require (
	github.com/FastFilter/xorfilter v0.5.1
	github.com/bits-and-blooms/bloom/v3 v3.7.1
	github.com/dwn-sync/dwnsync v0.0.0-00010101000000-000000000000
	github.com/greatroar/blobloom v0.8.0
	github.com/seiflotfy/cuckoofilter v0.0.0-20240715131351-a2f2c23f1771
)

require (
	github.com/RoaringBitmap/roaring/v2 v2.30.0 // indirect
	github.com/bits-and-blooms/bitset v1.24.4 // indirect
	github.com/dgryski/go-metro v0.0.0-20200812162917-85c65e2d0165 // indirect
	github.com/mschoch/smat v0.2.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/dwn-sync/dwnsync => ../..
