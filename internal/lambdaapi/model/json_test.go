package model_test

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hearthd/hearth/internal/lambdaapi/model"
	"github.com/hearthd/hearth/internal/lambdaapi/wire"
)

func parse(operation, body string) (model.Document, error) {
	match := model.Match{Operation: model.Lambda().Operation(operation)}
	return match.Parse(httptest.NewRequest("POST", "/", nil), []byte(body))
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, operation, body, exception, message string }{
		{"no JSON", "CreateFunction", "{", model.Malformed, "Could not parse request body into json: unexpected end of JSON input at [line: 1, column: 1]"},
		{"a place in the text", "CreateFunction", "{\n  \"FunctionName\": x}", model.Malformed, "line: 2, column: 19"},
		{"two values", "CreateFunction", "{} {}", model.Malformed, "after top-level value"},
		{"a string for a number", "CreateFunction", `{"Timeout":"3"}`, model.Mismatched, "STRING_VALUE can not be converted to an Integer"},
		{"a number for a string", "CreateFunction", `{"FunctionName":5}`, model.Mismatched, "NUMBER_VALUE can not be converted to a String"},
		{"a boolean for a string", "CreateFunction", `{"FunctionName":true}`, model.Mismatched, "TRUE_VALUE can not be converted to a String"},
		{"a boolean for a number", "CreateFunction", `{"Timeout":false}`, model.Mismatched, "FALSE_VALUE can not be converted to an Integer"},
		{"a structure for a string", "CreateFunction", `{"FunctionName":{}}`, model.Mismatched, "Start of structure or map found where not expected."},
		{"a list for a structure", "CreateFunction", `{"Code":[]}`, model.Mismatched, "Start of list found where not expected."},
		{"a string for a list", "CreateFunction", `{"Layers":"x"}`, model.Mismatched, "Expected list or null"},
		{"a string for a structure", "CreateFunction", `{"Code":"x"}`, model.Mismatched, "Expected structure, map or null"},
		{"a list at the top", "CreateFunction", `[]`, model.Mismatched, "Start of list found where not expected."},
		{"in a map", "CreateFunction", `{"Environment":{"Variables":{"A":1}}}`, model.Mismatched, "NUMBER_VALUE can not be converted to a String"},
		{"in a list", "CreateFunction", `{"Layers":[1]}`, model.Mismatched, "NUMBER_VALUE can not be converted to a String"},
		{"a fraction", "CreateFunction", `{"Timeout":3.5}`, model.Mismatched, "NUMBER_VALUE can not be converted to an Integer"},
		{"beyond 32 bits", "CreateFunction", `{"Timeout":3000000000}`, model.Mismatched, "out of range of int"},
		{"beyond 64 bits", "CreateFunction", `{"Timeout":1e30}`, model.Mismatched, "out of range"},
		{"beyond a double", "CreateFunction", `{"Timeout":1e999}`, model.Mismatched, "out of range"},
		{"no Base64", "CreateFunction", `{"Code":{"ZipFile":"?"}}`, model.Mismatched, "Blob"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse(c.operation, c.body)
			var refused *model.ParseError
			if !errors.As(err, &refused) || refused.Exception != c.exception || !strings.Contains(refused.Message, c.message) {
				t.Errorf("%v, want %s: %s", err, c.exception, c.message)
			}
		})
	}
}

func TestParseTakes(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       model.Document
	}{
		{"nothing", ``, model.Document{}},
		{"an empty structure", ` { } `, model.Document{}},
		{"null", `null`, model.Document{}},
		{"null members", `{"Role":null,"Code":null}`, model.Document{}},
		{"white space", "\n{ \"Timeout\" :\t3 , \"Layers\" : [ \"a\" , \"b\" ] }\r\n", model.Document{"Timeout": int64(3), "Layers": []any{"a", "b"}}},
		{"numbers", `{"Timeout":3.0,"MemorySize":2e2}`, model.Document{"Timeout": int64(3), "MemorySize": int64(200)}},
		{"escapes", `{"Description":"a\"\\\u00fc\ud83d\ude00\/\n","Role":"\\\\"}`, model.Document{"Description": "a\"\\ü😀/\n", "Role": `\\`}},
		{"an escaped name", `{"R\u006fle":"r"}`, model.Document{"Role": "r"}},
		{"the last of two", `{"Role":"a","Role":"b"}`, model.Document{"Role": "b"}},
		{"null after a value", `{"Role":"a","Role":null}`, model.Document{}},
		{"unknown members", `{"X":{"Y":[1,"]}",{"Z":"\\"}]},"Role":"r","Zz":-1.5e3}`, model.Document{"Role": "r"}},
		{"Base64 with an escape", `{"Code":{"ZipFile":"\/\/8="}}`, model.Document{"Code": model.Document{"ZipFile": []byte{255, 255}}}},
		{"null in a map and a list", `{"Tags":{"a":null},"Layers":[null]}`, model.Document{"Tags": model.Document{"a": nil}, "Layers": []any{nil}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse("CreateFunction", c.body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("document (-want +got):\n%s", diff)
			}
		})
	}
}

// What the decoder takes, encoding/json takes, with the same outcome; and no
// input makes it panic or read beyond its end.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `{"FunctionName":"f","Role":"r","Code":{"ZipFile":"aGVsbG8="},"Timeout":3}`,
		`{"Environment":{"Variables":{"A":"\u00e9\\"}},"Layers":["a",null],"Publish":true}`, `{"X":[{"a":[1,2,"]"]}]}`,
		"{\"Description\":\"\xff\"}", `{"Timeout":1e400}`, `{"Tags":{"a":"b","a":"c"}}`, `[[[[`,
	} {
		f.Add([]byte(seed))
	}
	op := model.Lambda().Operation("CreateFunction")
	f.Fuzz(func(t *testing.T, body []byte) {
		match := model.Match{Operation: op}
		doc, err := match.Parse(httptest.NewRequest("POST", "/", nil), body)
		if err != nil {
			return
		}
		if err := op.Validate(doc); err != nil && err.Error() == "" {
			t.Error("a violation without words")
		}
		var bound, decoded wire.CreateFunctionRequest
		doc.Bind(&bound)
		if len(body) > 0 && json.Unmarshal(body, &decoded) == nil && comparable(body) {
			if diff := cmp.Diff(decoded, bound); diff != "" {
				t.Errorf("%q (-encoding/json +model):\n%s", body, diff)
			}
		}
	})
}

// A moment in a body is a number, or what some clients write instead.
func TestParseTimestamps(t *testing.T) {
	const operation = "CreateEventSourceMapping"
	for body, want := range map[string]any{
		`{"StartingPositionTimestamp":1795442400.5}`:           time.Date(2026, 11, 23, 14, 0, 0, 5e8, time.UTC),
		`{"StartingPositionTimestamp":"2026-11-23T14:00:00Z"}`: time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC),
		`{"StartingPositionTimestamp":"today"}`:                nil,
		`{"StartingPositionTimestamp":1e300}`:                  nil,
		`{"StartingPositionTimestamp":true}`:                   nil,
	} {
		doc, err := parse(operation, body)
		if (err == nil) != (want != nil) || want != nil && doc["StartingPositionTimestamp"] != want {
			t.Errorf("%s: %v, %v", body, doc, err)
		}
	}
}

// CheckJSON takes exactly what encoding/json takes.
func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":"~"}`, `"~`, `"~\"`, `["~\\","~"]`, "\"~\n\"", `\"~"`, `{"~":"~"~}`, `~`, ``, ` `, `[]`, `{}`, `[,]`, `{,}`, `[1,]`, `{"a":1,}`, `{"a"}`, `{a:1}`, `{"a" : [ ] , "b":{ } }`,
		`-`, `-0`, `01`, `1.`, `.5`, `1.5e+3`, `1e`, `1E-0`, `+1`, `truth`, `tru`, `true`, `false `, `null,`, `nul`, `"\u12aF"`, `"\u12g0"`, `"\x"`, `"\`, `[}`, `{]`, `]`, `[[[[]]]]`, "\"\x7f\xff\"", "\"1234567\x1f\"", `{"a":1 "b":2}`, `[1 2]`, `1 2`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed string) {
		payload := []byte(strings.ReplaceAll(seed, "~", "a string of more than eight bytes"))
		if got, want := model.CheckJSON(payload) == nil, json.Valid(payload); got != want {
			t.Errorf("%q: %v, encoding/json says %v", payload, got, want)
		}
	})
}

func TestCheckJSONBoundsNesting(t *testing.T) {
	for _, depth := range []int{63, 64, 65, 10000, 10001} {
		for _, payload := range []string{strings.Repeat("[", depth) + strings.Repeat("]", depth), strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)} {
			if got, want := model.CheckJSON([]byte(payload)) == nil, json.Valid([]byte(payload)); got != want {
				t.Errorf("nesting of %d: %v, encoding/json says %v", depth, got, want)
			}
		}
	}
}

// Documents that rapid draws, and the same with one byte changed.
func TestCheckJSONAgreesWithEncodingJSON(t *testing.T) {
	value := rapid.Deferred(func() *rapid.Generator[any] { return rapid.Just[any](nil) })
	for range 4 {
		inner := value
		value = rapid.OneOf(
			rapid.Map(rapid.String(), func(s string) any { return s }),
			rapid.Map(rapid.Float64Range(-1e9, 1e9), func(f float64) any { return f }),
			rapid.Map(rapid.Int(), func(n int) any { return n }),
			rapid.Map(rapid.Bool(), func(b bool) any { return b }),
			rapid.Map(rapid.SliceOfN(inner, 0, 4), func(l []any) any { return l }),
			rapid.Map(rapid.MapOfN(rapid.String(), inner, 0, 4), func(m map[string]any) any { return m }),
		)
	}
	rapid.Check(t, func(t *rapid.T) {
		payload, err := json.MarshalIndent(value.Draw(t, "value"), "", rapid.SampledFrom([]string{"", "\t", " "}).Draw(t, "indent"))
		if err != nil {
			t.Fatal(err)
		}
		if err := model.CheckJSON(payload); err != nil {
			t.Errorf("%s: %v", payload, err)
		}
		payload[rapid.IntRange(0, len(payload)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		if got, want := model.CheckJSON(payload) == nil, json.Valid(payload); got != want {
			t.Errorf("%q: %v, encoding/json says %v", payload, got, want)
		}
	})
}

func BenchmarkCheckJSON(b *testing.B) {
	payload := []byte(`{"data":"` + strings.Repeat("x", 700) + `","list":[` + strings.Repeat(`{"n":1.5,"s":"abc"},`, 15) + `null]}`)
	b.Run("here", func(b *testing.B) {
		b.SetBytes(int64(len(payload)))
		for b.Loop() {
			if model.CheckJSON(payload) != nil {
				b.Fatal("refused")
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.SetBytes(int64(len(payload)))
		for b.Loop() {
			if !json.Valid(payload) {
				b.Fatal("refused")
			}
		}
	})
}

// comparable leaves out where encoding/json differs by design: it takes names
// in any case, merges members that are there twice, and reads line breaks in
// Base64.
func comparable(body []byte) bool {
	d := json.NewDecoder(strings.NewReader(string(body)))
	seen := map[string]bool{}
	for {
		token, err := d.Token()
		if err != nil {
			return true
		}
		if s, ok := token.(string); ok {
			if folded := strings.ToLower(s); seen[folded] || !strings.EqualFold(s, folded) || strings.ContainsAny(s, "\r\n") {
				return false
			}
			seen[strings.ToLower(s)] = true
			if !known[s] && knownFolded[strings.ToLower(s)] {
				return false
			}
		}
	}
}

var known, knownFolded = func() (map[string]bool, map[string]bool) {
	exact, folded := map[string]bool{}, map[string]bool{}
	var walk func(*model.Shape)
	walk = func(s *model.Shape) {
		if s == nil {
			return
		}
		for _, m := range s.Members {
			exact[m.Name], folded[strings.ToLower(m.Name)] = true, true
			walk(m.Shape)
		}
		walk(s.Item)
		walk(s.Value)
	}
	walk(model.Lambda().Operation("CreateFunction").Input)
	return exact, folded
}()

// A package of 50 MB is decoded without more copies than the package itself.
func BenchmarkParseZipFile(b *testing.B) {
	body := []byte(`{"FunctionName":"f","Code":{"ZipFile":"` + strings.Repeat("QUJD", 4<<20) + `"}}`)
	match := model.Match{Operation: model.Lambda().Operation("CreateFunction")}
	r := httptest.NewRequest("POST", "/", nil)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := match.Parse(r, body); err != nil {
			b.Fatal(err)
		}
	}
}
