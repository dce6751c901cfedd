package dwn

import (
	"bytes"
	"testing"
)

// benchMessage is a write of a protocol of about 1.2 kB.
func benchMessage(b *testing.B) messageVector {
	b.Helper()
	for v := range readLines[messageVector](b, corpus) {
		if n := len(v.Message); n > 1190 && n < 1230 && bytes.Contains(v.Message, []byte(`"dataCid"`)) && bytes.Contains(v.Message, []byte(`"contextId"`)) {
			return v
		}
	}
	b.Fatal("no message of the size")
	return messageVector{}
}

func BenchmarkParseJSON(b *testing.B) {
	text := []byte(benchMessage(b).Message)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseJSON(text); err != nil {
			b.Fatal(err)
		}
	}
}

func benchParsed(b *testing.B) *Message {
	b.Helper()
	m, err := ParseJSON(benchMessage(b).Message)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func BenchmarkParseCBOR(b *testing.B) {
	raw := benchParsed(b).CBOR()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseCBOR(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCID(b *testing.B) {
	m := benchParsed(b)
	b.ReportAllocs()
	for b.Loop() {
		if !m.CID().Defined() {
			b.Fatal("no CID")
		}
	}
}

func BenchmarkCheckStored(b *testing.B) {
	m := benchParsed(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := m.CheckStored(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAttributes(b *testing.B) {
	m := benchParsed(b)
	b.ReportAllocs()
	for b.Loop() {
		if m.Attributes().Author == "" {
			b.Fatal("no author")
		}
	}
}

func BenchmarkEntryID(b *testing.B) {
	m := benchParsed(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.EntryID(); err != nil {
			b.Fatal(err)
		}
	}
}
