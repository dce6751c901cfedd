package auth

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// maxURL is the longest URL that a token may be bound to, in bytes.
const maxURL = 4096

// ParseOrigin returns the normal form of a server's origin (RFC 6454): scheme http
// or https, host in lower case, port only if it is not the scheme's own. A path of
// "/" is taken and dropped.
func ParseOrigin(text string) (string, error) {
	origin, target, err := splitURL(text)
	if err == nil && target != "/" {
		err = errors.New("an origin has no path or query")
	}
	return origin, err
}

// splitURL returns the normal origin of an absolute URL and the rest as it stands
// in a request line.
func splitURL(text string) (origin, target string, err error) {
	if len(text) > maxURL {
		return "", "", fmt.Errorf("URL of %d bytes, at most %d are allowed", len(text), maxURL)
	}
	u, err := url.Parse(text)
	// The error of url.Parse repeats the URL, which may hold a password.
	if err != nil || u.Opaque != "" || u.User != nil || strings.Contains(text, "#") || !visibleASCII(text) {
		return "", "", errors.New("want an absolute URL without user or fragment")
	}
	defaultPort := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if defaultPort == "" || u.Hostname() == "" {
		return "", "", errors.New("want http:// or https:// and a host")
	}
	host := strings.ToLower(u.Host)
	host = strings.TrimSuffix(strings.TrimSuffix(host, ":"+defaultPort), ":")
	return u.Scheme + "://" + host, u.RequestURI(), nil
}

func visibleASCII(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
