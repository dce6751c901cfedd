package dwn

import "strings"

// The ASCII characters between space and "~" that are percent-encoded in a part
// of a URL. Control characters and everything beyond "~" always are. Later versions
// of the standard add "^" to the path's; the reference's runtime, Node 20, does not.
const (
	controlEscapes = ""
	pathEscapes    = " \"#<>?`{}"
	userEscapes    = pathEscapes + "/:;=@[\\]^|"
)

const upperHex = "0123456789ABCDEF"

// escape percent-encodes the bytes of s that are control characters, beyond "~"
// or in set. Percent signs stay.
func escape(s, set string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c > '~' || strings.IndexByte(set, c) >= 0 {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape decodes percent-encoded bytes; a percent sign that begins none stays.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			i += 2
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// normalPath escapes a path and resolves its dot segments. Special URLs have a
// path of at least "/".
func normalPath(path string, special bool) string {
	path = strings.TrimPrefix(path, "/")
	segments := strings.Split(path, "/")
	out := segments[:0]
	for i, segment := range segments {
		last := i == len(segments)-1
		switch dots(segment) {
		case 2:
			out = out[:max(len(out)-1, 0)]
			if last {
				out = append(out, "")
			}
		case 1:
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, escape(segment, pathEscapes))
		}
	}
	return "/" + strings.Join(out, "/")
}

// dots returns 1 or 2 for a segment that means this or the folder above, else 0.
func dots(segment string) int {
	switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
	case ".":
		return 1
	case "..":
		return 2
	}
	return 0
}

// opaquePath returns the normal form of a path without hierarchy. Blanks at its
// end are lost with the query or fragment that followed them.
func opaquePath(s string, hadTail bool) string {
	if hadTail {
		s = strings.TrimRight(s, " ")
	}
	return escape(s, controlEscapes)
}

func isScheme(s string) bool {
	if s == "" || !isAlpha(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlpha(c) && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isHex(c byte) bool   { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&15 + 9
}
