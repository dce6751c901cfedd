package dwn

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Characters that end or corrupt a host: the standard's forbidden host code
// points, and what is forbidden in domains besides.
const (
	forbiddenInHost   = "\x00\t\n\r #/:<>?@[\\]^|"
	forbiddenInDomain = forbiddenInHost + "%\x7f"
)

// specialHost returns the normal form of the host of a special URL: an IPv6 or
// IPv4 address, or a domain in lower case.
func specialHost(s string) (string, error) {
	if strings.HasPrefix(s, "[") {
		return normalIPv6(s)
	}
	s = unescape(s)
	for i := range len(s) {
		if s[i] >= 0x80 {
			return "", fmt.Errorf("%w: host is not ASCII: write its xn-- form", errURL)
		}
		if s[i] < ' ' || strings.IndexByte(forbiddenInDomain, s[i]) >= 0 {
			return "", fmt.Errorf("%w: %q in host", errURL, s[i])
		}
	}
	s = strings.ToLower(s)
	if s == "" {
		return "", fmt.Errorf("%w: no host", errURL)
	}
	if endsInNumber(s) {
		return normalIPv4(s)
	}
	return s, nil
}

// opaqueHost returns the normal form of the host of any other URL.
func opaqueHost(s string) (string, error) {
	if strings.HasPrefix(s, "[") {
		return normalIPv6(s)
	}
	if i := strings.IndexAny(s, forbiddenInHost); i >= 0 {
		return "", fmt.Errorf("%w: %q in host", errURL, s[i])
	}
	return escape(s, controlEscapes), nil
}

// endsInNumber reports whether a domain is to be read as an IPv4 address.
func endsInNumber(s string) bool {
	s = strings.TrimSuffix(s, ".")
	last := s[strings.LastIndexByte(s, '.')+1:]
	if last == "" {
		return false
	}
	if strings.Trim(last, "0123456789") == "" {
		return true
	}
	_, err := parseIPv4Number(last)
	return !errors.Is(err, strconv.ErrSyntax)
}

// normalIPv4 reads one to four numbers, decimal, octal or hexadecimal; the last
// fills all bytes that are left.
func normalIPv4(s string) (string, error) {
	parts := strings.Split(strings.TrimSuffix(s, "."), ".")
	if len(parts) > 4 {
		return "", fmt.Errorf("%w: IPv4 address of %d parts", errURL, len(parts))
	}
	var address uint64
	for i, part := range parts {
		n, err := parseIPv4Number(part)
		if err != nil {
			return "", err
		}
		width := 8
		if i == len(parts)-1 {
			width = 8 * (5 - len(parts))
		}
		if n>>width != 0 {
			return "", fmt.Errorf("%w: %.20q in IPv4 address", errURL, part)
		}
		address = address<<width | n
	}
	return fmt.Sprintf("%d.%d.%d.%d", byte(address>>24), byte(address>>16), byte(address>>8), byte(address)), nil
}

// parseIPv4Number reads digits, octal after "0", hexadecimal after "0x".
func parseIPv4Number(s string) (uint64, error) {
	digits, base := s, 10
	switch {
	case strings.HasPrefix(s, "0x"), strings.HasPrefix(s, "0X"):
		digits, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		digits, base = s[1:], 8
	}
	if digits == "" && base == 16 {
		return 0, nil
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %.20q in IPv4 address: %w", errURL, s, err)
	}
	return n, nil
}

// normalIPv6 reads an address in brackets and compresses it.
func normalIPv6(s string) (string, error) {
	inner, ok := strings.CutSuffix(s[1:], "]")
	address, err := netip.ParseAddr(inner)
	if !ok || err != nil || !address.Is6() || address.Zone() != "" || strings.Contains(inner, "%") {
		return "", fmt.Errorf("%w: IPv6 address %.60q", errURL, s)
	}
	if address.Is4In6() { // which netip writes with dots, the standard does not
		b := address.As16()
		return fmt.Sprintf("[::ffff:%x:%x]", uint(b[12])<<8|uint(b[13]), uint(b[14])<<8|uint(b[15])), nil
	}
	return "[" + address.String() + "]", nil
}
