package present

import (
	"bytes"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	headings := []string{"NAME", ">SIZE", "STATE"}
	rows := [][]string{{"hello", "12 MB", "Active"}, {"größe", "1 KB", "bad\x1b[31m\nline"}}
	for name, test := range map[string]struct {
		terminal bool
		want     string
	}{
		"elsewhere": {false, "NAME\tSIZE\tSTATE\nhello\t12 MB\tActive\ngröße\t1 KB\tbad [31m line\n"},
		"on a terminal": {true, "\x1b[1mNAME    SIZE  STATE\x1b[0m\n" +
			"hello  12 MB  Active\n" +
			"größe   1 KB  bad [31m line\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			p := &Printer{Terminal: test.terminal, w: &b}
			if err := p.Table(headings, rows); err != nil {
				t.Fatal(err)
			}
			if b.String() != test.want {
				t.Errorf("got\n%q\nwant\n%q", b.String(), test.want)
			}
		})
	}
}

func TestValueIsJSONOrText(t *testing.T) {
	for _, asJSON := range []bool{true, false} {
		var b bytes.Buffer
		p := New(&b, asJSON)
		if err := p.Value(map[string]string{"a": "<b>"}, func() error { return p.Printf("text\n") }); err != nil {
			t.Fatal(err)
		}
		want := "text\n"
		if asJSON {
			want = "{\n  \"a\": \"<b>\"\n}\n"
		}
		if b.String() != want {
			t.Errorf("got %q, want %q", b.String(), want)
		}
	}
}

func TestAmounts(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{Count(0), "0"}, {Count(999), "999"}, {Count(1000), "1,000"}, {Count(-1234567), "-1,234,567"},
		{Bytes(0), "0 B"}, {Bytes(1023), "1023 B"}, {Bytes(1 << 10), "1 KB"}, {Bytes(3 << 19), "1.5 MB"},
		{Bytes(128 << 20), "128 MB"}, {Bytes(20 << 30), "20 GB"},
		{Milliseconds(1234567), "1.23 ms"},
		{Age(-time.Second), "0s"}, {Age(59 * time.Second), "59s"}, {Age(90 * time.Minute), "1h"},
		{Age(5 * time.Minute), "5m"}, {Age(100 * time.Hour), "4d"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestProgressIsALineForEachStep(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b)
	for _, s := range []string{"packing", "waiting", "waiting", "done"} {
		p.Step(s)
	}
	p.Stop()
	if b.String() != "packing\nwaiting\ndone\n" {
		t.Errorf("got %q", b.String())
	}
}
