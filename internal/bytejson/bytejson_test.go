package bytejson

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// kind is a string with a name.
type kind string

// everywhere is a value with strings in all the places that messages have.
type everywhere struct {
	S       string
	Kind    kind
	List    []string
	Structs []*everywhere
	Map     map[string]any
	Any     any
	None    *everywhere
	Bytes   []byte
	At      time.Time
	N       int
}

// TestStringsKeepTheirBytes: what one process encodes is what another decodes,
// whatever bytes are in it, and the JSON is text.
func TestStringsKeepTheirBytes(t *testing.T) {
	for _, s := range []string{
		"", "/srv/app", "/srv/größe", "/srv/\xff", "\x80", "/\xe4\xb8", "\xf4\x8f\xbe\x80", "\U0010FF80\U0010FFFF\U0010FF7F", "\ufffd", "a\ufffd\xffb", `\ufffd`,
		"\"\\\n\x00", "\xed\xb2\x80", "fe80::1%eth0",
	} {
		in := everywhere{
			S: s, Kind: kind(s), List: []string{"a", s}, Structs: []*everywhere{{S: s, N: 7}, nil}, Map: map[string]any{s: s, "x": []any{s, 1.5, nil}}, Any: s,
			Bytes: []byte(s), At: time.Unix(1, 2).UTC(), N: -3,
		}
		b, err := Encode(in)
		if err != nil || !utf8.Valid(b) {
			t.Fatalf("%q: %q, %v", s, b, err)
		}
		var out everywhere
		if err := Decode(b, &out); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if len(in.Bytes) == 0 {
			in.Bytes = out.Bytes
		}
		if !reflect.DeepEqual(in, out) {
			t.Errorf("%q: %s\n came back as %+v\n want         %+v", s, b, out, in)
		}
	}
}

func FuzzStringsKeepTheirBytes(f *testing.F) {
	f.Add("/srv/\xff")
	f.Add("\xf4\x8f\xbe\x80")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := Encode([]string{s})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		if err := Decode(b, &out); err != nil || len(out) != 1 || out[0] != s {
			t.Errorf("%q: %s came back as %q, %v", s, b, out, err)
		}
	})
}

// TestBytesCrossProcessesInOneWay: what crosses processes uses none of
// encoding/json's own functions.
func TestBytesCrossProcessesInOneWay(t *testing.T) {
	direct := regexp.MustCompile(`\bjson\.(Marshal|MarshalIndent|Unmarshal|NewEncoder|NewDecoder)\b`)
	for _, dir := range []string{"supervise", "control"} {
		files, err := filepath.Glob("../../" + dir + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if use := direct.Find(b); use != nil {
				t.Errorf("%s uses %s, which changes bytes that are not UTF-8; use Encode or Decode", file, use)
			}
		}
	}
}
