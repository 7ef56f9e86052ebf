package code

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
)

// inflate copies a file of an archive to w and checks that it is what the
// archive declares: not a byte more, and with the right checksum.
func inflate(ctx context.Context, w io.Writer, f *zip.File, buf []byte) error {
	r, err := f.Open()
	if err != nil {
		return zipError(err)
	}
	defer r.Close() //nolint:errcheck // nothing is buffered in a reader
	left := int64(f.UncompressedSize64)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buf)
		if left -= int64(n); left < 0 {
			return badEntry(f.Name, "is larger than the archive declares. Make the archive anew.")
		}
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			if left != 0 {
				return badZip()
			}
			return nil
		case err != nil:
			return zipError(err)
		}
	}
}

// readFile returns a small file of an archive.
func readFile(f *zip.File) ([]byte, error) {
	var b bytes.Buffer
	if err := inflate(context.Background(), &b, f, make([]byte, 4096)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// zipError turns every complaint about the archive's bytes into the refusal
// Lambda gives; there is nothing in the difference that would help the owner.
func zipError(error) error { return badZip() }
