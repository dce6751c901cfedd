//go:build !amd64 || purego

package ribbon

// avx512 says whether the functions below may be called: nowhere but on amd64.
const avx512 = false

const maxSlots512 = 0

// row is an equation in the form of eliminate512.
type row struct{}

func (s *system) solve512([]uint64, int, int, int) (solved, sure bool) { panic("ribbon: no AVX-512") }

func (s *system) substitute512(*[8]uint64, []uint64, int, int, int, int) {
	panic("ribbon: no AVX-512")
}

func (f *Filter) answers512(*[batch]uint64, int, *located) uint64 { panic("ribbon: no AVX-512") }
