package dwn

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// encodeCBOR returns the canonical DAG-CBOR of a value of the value model: keys
// by length, then bytewise; shortest integers; floats of 64 bits. It returns
// ErrNotCanonical for a float without a finite value.
func encodeCBOR(value any) ([]byte, error) {
	mode, err := cbor.EncOptions{
		Sort:          cbor.SortLengthFirst,
		ShortestFloat: cbor.ShortestFloatNone,
		NaNConvert:    cbor.NaNConvertReject,
		InfConvert:    cbor.InfConvertReject,
		IndefLength:   cbor.IndefLengthForbidden,
	}.EncMode()
	if err != nil {
		panic(err) // constant options
	}
	raw, err := mode.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotCanonical, err)
	}
	return raw, nil
}

// decodeCBOR returns the value of raw and a copy of raw. No library refuses all
// that is not canonical, so the value is encoded again and must give raw.
func decodeCBOR(raw []byte) (any, []byte, error) {
	mode, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:  MaxDepth,
		MaxArrayElements: MaxMessageSize,
		MaxMapPairs:      MaxMessageSize,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		IntDec:           cbor.IntDecConvertSignedOrFail,
		DefaultMapType:   reflect.TypeFor[object](),
		UTF8:             cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic(err) // constant options
	}
	var value any
	if err := mode.Unmarshal(raw, &value); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", kindOfCBORError(err), err)
	}
	if err := checkValue(value); err != nil {
		return nil, nil, err
	}
	canonical, err := encodeCBOR(value)
	if err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(raw, canonical) {
		return nil, nil, fmt.Errorf("%w: the same value has %d other bytes", ErrNotCanonical, len(canonical))
	}
	return value, canonical, nil
}

// kindOfCBORError tells what is valid CBOR but never canonical from what is no CBOR.
func kindOfCBORError(err error) error {
	var (
		indefinite *cbor.IndefiniteLengthError
		tag        *cbor.TagsMdError
		duplicate  *cbor.DupMapKeyError
		text       *cbor.SemanticError
		key        *cbor.UnmarshalTypeError
	)
	for _, target := range []any{&indefinite, &tag, &duplicate, &text, &key} {
		if errors.As(err, target) {
			return ErrNotCanonical
		}
	}
	return ErrMalformed
}

// checkValue returns ErrNotCanonical if a decoded value is outside the value
// model: what decodes but has no JSON form, or is a number in the wrong form.
func checkValue(value any) error {
	switch v := value.(type) {
	case nil, bool, string:
		return nil
	case int64:
		if v > maxSafeInteger || v < -maxSafeInteger {
			return fmt.Errorf("%w: integer %d is beyond 2^53-1", ErrNotCanonical, v)
		}
	case float64:
		if _, ok := number(v).(float64); !ok || math.IsInf(v, 0) || math.IsNaN(v) {
			return fmt.Errorf("%w: float %v", ErrNotCanonical, v)
		}
	case []any:
		for _, element := range v {
			if err := checkValue(element); err != nil {
				return err
			}
		}
	case object:
		for _, element := range v {
			if err := checkValue(element); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("%w: a %T has no place in a message", ErrNotCanonical, value)
	}
	return nil
}
