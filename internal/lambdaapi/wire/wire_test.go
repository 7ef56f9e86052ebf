package wire_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/lambdaapi/wire"
)

func TestTimeIsSecondsWithAFraction(t *testing.T) {
	for text, ms := range map[string]int64{"0": 0, "1795442400": 1795442400000, "1795442400.123": 1795442400123, "-0.5": -500} {
		var got wire.Time
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.UnixMilli() != ms {
			t.Errorf("%s is read as %d: %v", text, got.UnixMilli(), err)
		}
		b, err := json.Marshal(wire.Time{Time: time.UnixMilli(ms)})
		if err != nil || string(b) != text {
			t.Errorf("%d is written as %s: %v", ms, b, err)
		}
	}
	if err := json.Unmarshal([]byte(`"today"`), new(wire.Time)); err == nil {
		t.Error("a word is a time")
	}
}

// An absent member stays absent, an empty list does not.
func TestAbsentAndEmpty(t *testing.T) {
	b, err := json.Marshal(wire.ListFunctionsResponse{Functions: []wire.FunctionConfiguration{}})
	if err != nil || string(b) != `{"Functions":[]}` {
		t.Errorf("%s, %v", b, err)
	}
	if b, err = json.Marshal(wire.ListFunctionsResponse{}); err != nil || string(b) != `{}` {
		t.Errorf("%s, %v", b, err)
	}
}
