package filters

// ExpectedLen returns the bytes of the encoding of a filter of n distinct keys as Build
// makes it by opt: exactly where they follow from n and the rate, else the expected number
// for uniform keys, within 1 % or 2 bytes. It is false where Build would refuse, and for
// Segmented, whose length follows from how the keys are spread.
func ExpectedLen(kind Kind, n int, opt Options) (bytes int, ok bool) {
	s, ok := schemeOf(kind)
	if !ok || n < 0 || n > maxKeys || s.size == nil {
		return 0, false
	}
	rate, err := opt.rate(s)
	if err != nil {
		return 0, false
	}
	if n == 0 {
		return frameSize, true
	}
	size := s.size(n, rate)
	return frameSize + size, size >= 0
}
