// Package wire has the Go types of the Lambda API's inputs and outputs,
// generated from the facts of the API.
//
// Every member is a pointer, a slice or a map: nil is an absent member, in what
// came and in what goes out. Members that HTTP carries outside the body have the
// JSON name "-"; package model puts them where they belong.
package wire

import (
	"math"
	"strconv"
	"time"
)

// Time is a moment as the API writes it in JSON: seconds since 1970, with a
// fraction.
type Time struct{ time.Time }

// MarshalJSON writes milliseconds as the fraction, as AWS does.
func (t Time) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/1e3, 'f', -1, 64), nil
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (t *Time) UnmarshalJSON(b []byte) error {
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return err
	}
	t.Time = time.UnixMilli(int64(math.Round(seconds * 1e3))).UTC()
	return nil
}
