package code

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"testing"
	"time"
)

// item is one entry of an archive under test.
type item struct {
	name string
	body string
	mode fs.FileMode // 0: as a tool without permissions writes it
	mod  func(*zip.FileHeader)
}

func archive(tb testing.TB, items ...item) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, it := range items {
		h := &zip.FileHeader{Name: it.name, Method: zip.Deflate, Modified: time.Date(2024, 5, 6, 7, 8, 10, 0, time.UTC)}
		if it.mode != 0 {
			h.SetMode(it.mode)
		}
		if it.mod != nil {
			it.mod(h)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := f.Write([]byte(it.body)); err != nil && it.body != "" {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// declaring is an archive whose one file of n zero bytes claims to hold
// claimed bytes.
func declaring(tb testing.TB, n int, claimed uint32) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	var packed bytes.Buffer
	inner := zip.NewWriter(&packed)
	f, err := inner.Create("x")
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := f.Write(make([]byte, n)); err != nil {
		tb.Fatal(err)
	}
	if err := inner.Close(); err != nil {
		tb.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		tb.Fatal(err)
	}
	h := r.File[0].FileHeader
	h.Flags &^= 8 // sizes stand in the header
	h.UncompressedSize64 = uint64(claimed)
	raw, err := r.File[0].OpenRaw()
	if err != nil {
		tb.Fatal(err)
	}
	to, err := w.CreateRaw(&h)
	if err != nil {
		tb.Fatal(err)
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(raw); err != nil {
		tb.Fatal(err)
	}
	if _, err := to.Write(body.Bytes()); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// ownCopy has an unpacked package share nothing.
func ownCopy(_ string, item *manifestItem) error {
	item.Copy = true
	return nil
}

func setModified(at time.Time) func(*zip.FileHeader) {
	return func(h *zip.FileHeader) { h.Modified = at }
}
