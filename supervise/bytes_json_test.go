package supervise

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

// everywhere is a value with strings in all the places that messages have.
type everywhere struct {
	S       string
	Kind    messageKind
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
			S: s, Kind: messageKind(s), List: []string{"a", s}, Structs: []*everywhere{{S: s, N: 7}, nil}, Map: map[string]any{s: s, "x": []any{s, 1.5, nil}}, Any: s,
			Bytes: []byte(s), At: time.Unix(1, 2).UTC(), N: -3,
		}
		b, err := encodeJSON(in)
		if err != nil || !utf8.Valid(b) {
			t.Fatalf("%q: %q, %v", s, b, err)
		}
		var out everywhere
		if err := decodeJSON(b, &out); err != nil {
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
		b, err := encodeJSON([]string{s})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		if err := decodeJSON(b, &out); err != nil || len(out) != 1 || out[0] != s {
			t.Errorf("%q: %s came back as %q, %v", s, b, out, err)
		}
	})
}

// TestBytesCrossProcessesInOneWay: only bytes_json.go, and the log's format, which
// is for people, use encoding/json's own functions.
func TestBytesCrossProcessesInOneWay(t *testing.T) {
	direct := regexp.MustCompile(`\bjson\.(Marshal|MarshalIndent|Unmarshal|NewEncoder|NewDecoder)\b`)
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "bytes_json.go" || file == "log_format.go" {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if use := direct.Find(b); use != nil {
			t.Errorf("%s uses %s, which changes bytes that are not UTF-8; use encodeJSON or decodeJSON", file, use)
		}
	}
}
