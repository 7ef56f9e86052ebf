package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// TestPackagesAloneAreSlow stores a package and something else, and reads both
// while the package is held back.
func TestPackagesAloneAreSlow(t *testing.T) {
	const delay = 300 * time.Millisecond
	s, err := startSlowStore(t.TempDir(), delay)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	nc, err := nats.Connect("nats://" + s.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("x\r\nMSG y"), 10_000)
	stream := func(name, subject string) jetstream.Stream {
		st, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}, AllowDirect: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.Publish(t.Context(), subject, content); err != nil {
			t.Fatal(err)
		}
		return st
	}
	packages, others := stream(packagesStream, "packages"), stream("others", "others")

	type got struct {
		msg *jetstream.RawStreamMsg
		err error
		at  time.Time
	}
	read := func(st jetstream.Stream, subject string) <-chan got {
		c := make(chan got, 1)
		go func() {
			msg, err := st.GetLastMsgForSubject(t.Context(), subject)
			c <- got{msg, err, time.Now()}
		}()
		return c
	}
	begin := time.Now()
	slow := read(packages, "packages")
	quick := <-read(others, "others")
	late := <-slow
	for _, g := range []got{quick, late} {
		if g.err != nil || !bytes.Equal(g.msg.Data, content) {
			t.Fatalf("read %v", g.err)
		}
	}
	if late.at.Sub(begin) < delay {
		t.Errorf("the package came after %s", late.at.Sub(begin))
	}
}
