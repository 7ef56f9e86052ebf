package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
)

// Encode answers a request with an output, a pointer to the operation's type of
// package wire; nil for an operation that has none. Nothing was written when it
// returns an error.
func (o *Operation) Encode(w http.ResponseWriter, output any) error {
	status := o.Status
	if o.Output == nil {
		w.WriteHeader(status)
		return nil
	}
	v := reflect.ValueOf(output).Elem()
	var payload []byte
	for i := range o.Output.Members {
		m := &o.Output.Members[i]
		if m.In == InBody && m.Name != o.Output.Payload {
			continue
		}
		field := v.FieldByName(m.Name)
		if field.IsNil() {
			continue
		}
		switch m.In {
		case InStatus:
			status = int(field.Elem().Int())
		case InHeader:
			w.Header().Set(m.As, fmt.Sprint(field.Elem().Interface()))
		default:
			payload = field.Bytes()
		}
	}
	if status != http.StatusNoContent && o.Output.Payload == "" {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(output); err != nil {
			return fmt.Errorf("encode the answer of %s: %w", o.Name, err)
		}
		payload = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	}
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(payload)))
	w.WriteHeader(status)
	w.Write(payload) // that the client hung up is no failure of ours
	return nil
}
