package dwn

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// errURL is why a text has no normal form as a URL.
var errURL = errors.New("URL cannot be normalised")

// NormalizeURL returns the form in which schemas and protocols are named in
// messages: a text without scheme gets "http://", the rest is read as browsers
// read it (WHATWG URL Standard, basic URL parser), query, fragment and one
// trailing slash are dropped.
//
// It returns an error where the standard does. It also refuses, as ErrScope, what
// this package cannot normalise exactly: a host of a special scheme that is not
// ASCII once decoded, for which the caller writes the xn-- form, and file URLs
// with a drive letter.
func NormalizeURL(text string) (string, error) {
	if !hasScheme(text) {
		text = "http://" + text
	}
	u, err := parseURL(text)
	if err != nil {
		return "", fmt.Errorf("%w: %.200q: %w", ErrScope, text, err)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

// stableURL returns the normal form of text if that is its own normal form. One
// that ends in several slashes is not: no message carries it.
func stableURL(text string) (string, error) {
	normal, err := NormalizeURL(text)
	if err != nil {
		return "", err
	}
	if again, err := NormalizeURL(normal); err != nil || again != normal {
		return "", fmt.Errorf("%w: %.200q: the normal form %.200q is not normal itself", ErrScope, text, normal)
	}
	return normal, nil
}

// hasScheme reports whether the reference takes text as it is: something before
// the first colon, and after it, or after "//", something that is no slash.
func hasScheme(text string) bool {
	head, rest, ok := strings.Cut(text, ":")
	if !ok || head == "" {
		return false
	}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		return after != "" && after[0] != '/'
	}
	return rest != "" && rest[0] != '/'
}

// parsedURL is a URL without query and fragment.
type parsedURL struct {
	scheme    string
	authority string // with user and port; meaningful if hasHost
	hasHost   bool
	path      string // serialised: opaque, or empty, or beginning with "/"
	opaque    bool
}

func (u parsedURL) String() string {
	switch {
	case u.hasHost:
		return u.scheme + "://" + u.authority + u.path
	case !u.opaque && strings.HasPrefix(u.path, "//"):
		return u.scheme + ":/." + u.path // else the path would read as a host
	}
	return u.scheme + ":" + u.path
}

// specialPort returns the default port of a special scheme, "" for file.
func specialPort(scheme string) (port string, special bool) {
	switch scheme {
	case "http", "ws":
		return "80", true
	case "https", "wss":
		return "443", true
	case "ftp":
		return "21", true
	case "file":
		return "", true
	}
	return "", false
}

// parseURL reads an absolute URL and forgets its query and fragment.
func parseURL(text string) (parsedURL, error) {
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	text = dropBreaks(text)
	head, rest, _ := strings.Cut(text, ":")
	if !isScheme(head) || len(head) == len(text) {
		return parsedURL{}, fmt.Errorf("%w: no scheme", errURL)
	}
	hasTail := strings.ContainsAny(rest, "?#")
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	u := parsedURL{scheme: strings.ToLower(head)}
	if _, special := specialPort(u.scheme); special {
		return u.special(strings.ReplaceAll(rest, `\`, "/"))
	}
	if !strings.HasPrefix(rest, "/") {
		u.opaque = true
		u.path = opaquePath(rest, hasTail)
		return u, nil
	}
	after, hasHost := strings.CutPrefix(rest, "//")
	if !hasHost {
		u.path = normalPath(rest, false)
		return u, nil
	}
	authority, path := cutPath(after)
	u.hasHost = true
	var err error
	if u.authority, err = normalAuthority(authority, u.scheme); err != nil {
		return u, err
	}
	if path != "" {
		u.path = normalPath(path, false)
	}
	return u, nil
}

// dropBreaks removes tabs and line breaks, which a URL may have anywhere.
func dropBreaks(text string) string {
	if !strings.ContainsAny(text, "\t\n\r") {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' {
			return -1
		}
		return r
	}, text)
}

// special reads what follows the scheme of a special URL. Such a URL always has a
// path, and any number of slashes before its host, except file URLs.
func (u parsedURL) special(rest string) (parsedURL, error) {
	if u.scheme == "file" {
		return u.file(rest)
	}
	authority, path := cutPath(strings.TrimLeft(rest, "/"))
	u.hasHost = true
	var err error
	if u.authority, err = normalAuthority(authority, u.scheme); err != nil {
		return u, err
	}
	u.path = normalPath(path, true)
	return u, nil
}

func (u parsedURL) file(rest string) (parsedURL, error) {
	u.hasHost = true
	host, path := "", rest
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		host, path = cutPath(after)
	}
	for segment := range strings.SplitSeq(path, "/") {
		if isDriveLetter(segment) {
			return u, fmt.Errorf("%w: drive letter", errURL)
		}
	}
	if isDriveLetter(host) {
		return u, fmt.Errorf("%w: drive letter", errURL)
	}
	if host != "" {
		var err error
		if u.authority, err = specialHost(host); err != nil {
			return u, err
		}
		if u.authority == "localhost" {
			u.authority = ""
		}
	}
	u.path = normalPath(path, true)
	return u, nil
}

func isDriveLetter(s string) bool {
	return len(s) == 2 && isAlpha(s[0]) && (s[1] == ':' || s[1] == '|')
}

// cutPath splits what follows "//" into authority and path, which keeps its slash.
func cutPath(s string) (authority, path string) {
	if i := strings.IndexByte(s, '/'); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// normalAuthority returns user, host and port in normal form.
func normalAuthority(s, scheme string) (string, error) {
	defaultPort, special := specialPort(scheme)
	userinfo, hostport := "", s
	at := strings.LastIndexByte(s, '@')
	if at >= 0 {
		userinfo, hostport = s[:at], s[at+1:]
	}
	host, port, hasPort := cutPort(hostport)
	if host == "" && (special || at >= 0 || hasPort) {
		return "", fmt.Errorf("%w: no host", errURL)
	}
	normalHost := opaqueHost
	if special {
		normalHost = specialHost
	}
	host, err := normalHost(host)
	if err != nil {
		return "", err
	}
	if port, err = normalPort(port, defaultPort); err != nil {
		return "", err
	}
	return normalUser(userinfo) + host + port, nil
}

// cutPort splits at the first colon outside brackets.
func cutPort(s string) (host, port string, ok bool) {
	bracket := false
	for i := range len(s) {
		switch s[i] {
		case '[':
			bracket = true
		case ']':
			bracket = false
		case ':':
			if !bracket {
				return s[:i], s[i+1:], true
			}
		}
	}
	return s, "", false
}

func normalPort(port, defaultPort string) (string, error) {
	if strings.Trim(port, "0123456789") != "" {
		return "", fmt.Errorf("%w: port %.20q", errURL, port)
	}
	if port == "" {
		return "", nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", fmt.Errorf("%w: port %.20q is beyond 65535", errURL, port)
	}
	if text := strconv.FormatUint(n, 10); text != defaultPort {
		return ":" + text, nil
	}
	return "", nil
}

// normalUser returns user and password with the "@" that follows them, or "".
func normalUser(s string) string {
	user, password, _ := strings.Cut(s, ":")
	if user == "" && password == "" {
		return ""
	}
	out := escape(user, userEscapes)
	if password != "" {
		out += ":" + escape(password, userEscapes)
	}
	return out + "@"
}
