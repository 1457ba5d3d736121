package http1

import (
	"strings"
	"testing"
)

func TestKnownNamesHaveTheirOwnPlace(t *testing.T) {
	for id := fieldID(1); id < fieldIDs; id++ {
		name := fieldNames[id]
		for _, form := range []string{name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
			if got := identify([]byte(form)); got != id {
				t.Errorf("identify(%q) = %d, want %d: two names share a place of the table", form, got, id)
			}
			if got := identify(form); got != id {
				t.Errorf("identify(%q) = %d, want %d", form, got, id)
			}
		}
	}
	if fieldIDs > 64 {
		t.Errorf("%d ids do not fit into a fieldSet", fieldIDs)
	}
}

// A name that differs in one byte from a known one must not pass for it.
func TestNearNamesAreNotKnown(t *testing.T) {
	for id := fieldID(1); id < fieldIDs; id++ {
		name := []byte(fieldNames[id])
		for i := range name {
			for c := range 256 {
				old := name[i]
				name[i] = byte(c)
				same := strings.EqualFold(string(name), fieldNames[id]) && c < 0x80
				if !same && identify(name) == id {
					t.Fatalf("identify(%q) = %s", name, fieldNames[id])
				}
				if !same && identify(string(name)) == id {
					t.Fatalf("identify(%q) = %s", name, fieldNames[id])
				}
				name[i] = old
			}
		}
	}
}
