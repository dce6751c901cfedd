package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// runKeygen makes a key. Its file is readable by its owner alone and never overwritten.
func runKeygen(_ context.Context, s std, f *flags) error {
	curve := f.String("curve", string(auth.Ed25519), "Ed25519, P-256 or secp256k1")
	out := f.String("out", "", "`file` for the private JWK; default stdout")
	if _, err := f.parse(0); err != nil {
		return err
	}
	signer, err := auth.GenerateSigner(auth.Curve(*curve), rand.Reader)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	jwk, err := signer.MarshalJWK()
	if err != nil {
		return err
	}
	jwk = append(jwk, '\n')
	if *out == "" {
		if _, err := s.out.Write(jwk); err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.err, signer.DID())
		return err
	}
	if err := writeNew(*out, jwk); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, signer.DID())
	return err
}

func writeNew(name string, data []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(data); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

func runVersion(_ context.Context, s std, f *flags) error {
	if _, err := f.parse(0); err != nil {
		return err
	}
	info, _ := debug.ReadBuildInfo()
	_, err := fmt.Fprintf(s.out, "dwnsync %s\nwire %d\n%s\n", version(), wire.Version, info.GoVersion)
	return err
}

// version is the module's, as far as the build knows it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
