package auth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// VerifierOptions is how a Verifier is made. Only Audience has no default.
type VerifierOptions struct {
	// Audience lists the origins under which this server is called, see ParseOrigin.
	Audience []string
	// Resolver finds keys; nil is Offline.
	Resolver Resolver
	// Clock tells the time; nil is time.Now.
	Clock func() time.Time
	// Replay remembers tokens; nil is a new cache of the default size. Servers
	// that share one share what they remember, and their nonces.
	Replay *ReplayCache
	// Started is when Replay was empty; zero is now. Tokens may have been used before
	// it and forgotten, so one without a nonce is taken only if it was issued more than
	// MaxSkew after it.
	Started time.Time
	// Admit, if not nil, is asked after the signature and before the token is
	// remembered whether the signer may act for the tenant. So those who may not
	// cannot fill Replay. Its error is returned as it is.
	Admit func(ctx context.Context, claims Claims) error
}

// Verifier checks tokens. Safe for concurrent use.
//
// None is taken twice, not even across a restart, whatever the client's clock says:
// as long as the server's own is not set back between two starts. A token with a nonce
// does not depend on clocks for that.
type Verifier struct {
	opt      VerifierOptions
	audience map[string]bool
}

// NewVerifier returns a Verifier, or an error if Audience is empty or has what is
// no origin.
func NewVerifier(opt VerifierOptions) (*Verifier, error) {
	if len(opt.Audience) == 0 {
		return nil, errors.New("no audience: give the origin under which this server is called")
	}
	v := &Verifier{opt: opt, audience: map[string]bool{}}
	for _, text := range opt.Audience {
		origin, err := ParseOrigin(text)
		if err != nil {
			return nil, fmt.Errorf("%q is no origin: %w", text, err)
		}
		v.audience[origin] = true
	}
	if v.opt.Resolver == nil {
		v.opt.Resolver = Offline{}
	}
	if v.opt.Clock == nil {
		v.opt.Clock = time.Now
	}
	if v.opt.Replay == nil {
		v.opt.Replay = NewReplayCache(0)
	}
	if v.opt.Started.IsZero() {
		v.opt.Started = v.opt.Clock()
	}
	v.opt.Replay.Forgot(v.opt.Started)
	return v, nil
}

// Nonce returns what a client is to sign with when it is refused with ErrNonce. The
// server tells it in every answer.
func (v *Verifier) Nonce() string { return v.opt.Replay.Nonce() }

// VerifyInit checks a SYNC_INIT token: form, audience, time, signature, and that
// it is used for the first time, in this order. It remembers the token. The caller
// compares Frames with the frames it read, and decides whether Signer may do this
// for Tenant. Errors: ErrToken, ErrAudience, ErrExpired, ErrNonce, ErrSignature,
// ErrReplay, what the resolver returns (ErrDID, ErrKey, ErrUnsupportedMethod)
// and what Admit returns.
func (v *Verifier) VerifyInit(ctx context.Context, token string) (InitClaims, error) {
	env, obj, err := openToken(token, TypeInit, MaxInitToken)
	if err != nil {
		return InitClaims{}, err
	}
	claims, err := parseInit(obj)
	if err != nil {
		return InitClaims{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	if err := v.accept(ctx, env, &claims.Claims); err != nil {
		return InitClaims{}, err
	}
	return claims, nil
}

// VerifyRequest checks the token of another call like VerifyInit, and that it was
// made for this method and URL: an absolute URL, or the request target from its
// first slash on, for a server that cannot tell under which of its origins it was
// called. The caller compares Body with the body it read.
func (v *Verifier) VerifyRequest(ctx context.Context, token, method, url string) (RequestClaims, error) {
	env, obj, err := openToken(token, TypeRequest, MaxRequestToken)
	if err != nil {
		return RequestClaims{}, err
	}
	claims, err := parseRequest(obj)
	if err != nil {
		return RequestClaims{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	if err := claims.bind(method, url); err != nil {
		return RequestClaims{}, err
	}
	if err := v.accept(ctx, env, &claims.Claims); err != nil {
		return RequestClaims{}, err
	}
	return claims, nil
}

// openToken checks the form of a token and of its header.
func openToken(token, typ string, limit int) (envelope, object, error) {
	jws, err := splitCompact(token, limit)
	if err != nil {
		return envelope{}, nil, err
	}
	env, err := parseEnvelope(jws, typ)
	if err != nil {
		return envelope{}, nil, err
	}
	obj, err := parseObject(env.payload)
	if err != nil {
		return envelope{}, nil, fmt.Errorf("%w: payload: %w", ErrToken, err)
	}
	return env, obj, nil
}

// bind fails unless the claims are for this method and URL, and htu is under aud.
func (c RequestClaims) bind(method, url string) error {
	origin, target, err := splitURL(c.URL)
	if err != nil {
		return fmt.Errorf("%w: htu: %w", ErrToken, err)
	}
	wantOrigin, wantTarget := c.Audience, url
	if !strings.HasPrefix(url, "/") {
		if wantOrigin, wantTarget, err = splitURL(url); err != nil {
			return fmt.Errorf("%w: the request's own: %w", ErrAudience, err)
		}
	}
	switch {
	case c.Method != method:
		return fmt.Errorf("%w: htm is not %s", ErrAudience, method)
	case origin != c.Audience:
		return fmt.Errorf("%w: htu is not under aud", ErrAudience)
	case origin != wantOrigin || target != wantTarget:
		return fmt.Errorf("%w: htu is not the URL of this request", ErrAudience)
	}
	return nil
}

// origins returns the origins that tokens may be made for, sorted.
func (v *Verifier) origins() []string { return slices.Sorted(maps.Keys(v.audience)) }

// accept checks everything that is not form, the cheap first, and fills in who signed.
func (v *Verifier) accept(ctx context.Context, env envelope, c *Claims) error {
	if !v.audience[c.Audience] {
		return fmt.Errorf("%w: aud is not an origin of this server, which answers to %s", ErrAudience, strings.Join(v.origins(), " "))
	}
	now := v.opt.Clock()
	if err := v.checkTime(*c, now); err != nil {
		return err
	}
	did, err := env.verify(ctx, v.opt.Resolver)
	if err != nil {
		return err
	}
	c.Signer, c.KeyID = did, env.header.keyID
	if v.opt.Admit != nil {
		if err := v.opt.Admit(ctx, *c); err != nil {
			return err
		}
	}
	return v.opt.Replay.Insert(*c, now)
}

func (v *Verifier) checkTime(c Claims, now time.Time) error {
	var what string
	switch life := c.Expires.Sub(c.IssuedAt); {
	case life <= 0 || life > MaxLifetime:
		what = fmt.Sprintf("exp must be after iat by at most %v", MaxLifetime)
	case !c.Expires.After(now):
		what = "it has expired; sign a new one, and check the clock if it is new"
	case c.IssuedAt.After(now.Add(MaxSkew)):
		what = fmt.Sprintf("issued more than %v in the future; check the clock", MaxSkew)
	default:
		return v.opt.Replay.Check(c)
	}
	return fmt.Errorf("%w: %s", ErrExpired, what)
}

// Authorize returns ErrForbidden unless the signer is the tenant.
func Authorize(signer, tenant string) error {
	if signer == "" || signer != tenant {
		return ErrForbidden
	}
	return nil
}

// isContext reports whether an error is about the caller's patience and not about
// what was checked.
func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
