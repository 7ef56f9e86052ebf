package telemetry

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// acknowledged is a publication whose acknowledgement has come.
type acknowledged struct{ ok chan *jetstream.PubAck }

func (a acknowledged) Ok() <-chan *jetstream.PubAck { return a.ok }
func (a acknowledged) Err() <-chan error            { return nil }
func (a acknowledged) Msg() *nats.Msg               { return nil }

// A quiet node looks at acknowledgements long after they came: what was
// acknowledged is stored all the same.
func TestAcknowledgementsMayBeLookedAtLate(t *testing.T) {
	for range 64 { // where two channels are ready, select chooses by chance
		ok := make(chan *jetstream.PubAck, 1)
		ok <- &jetstream.PubAck{}
		p := publisher{logs: &Logs{log: testLogger(t)}}
		p.inFlight = []publication{{future: acknowledged{ok}, deadline: time.Now().Add(-time.Minute)}}
		if err := p.settle(); err != nil {
			t.Fatal(err)
		}
	}
}
