package fleet

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// deepCopy copies what the encoding of an upgrade carries, which is the exported
// fields, and takes a tenth of its time.
func deepCopy[T any](from *T) *T {
	to := new(T)
	copyValue(reflect.ValueOf(to).Elem(), reflect.ValueOf(from).Elem())
	return to
}

// copyValue sets a zero value to a copy of another.
func copyValue(to, from reflect.Value) {
	switch from.Kind() {
	case reflect.Pointer:
		if !from.IsNil() {
			to.Set(reflect.New(from.Type().Elem()))
			copyValue(to.Elem(), from.Elem())
		}
	case reflect.Slice:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
		if kind := from.Type().Elem().Kind(); kind <= reflect.Complex128 || kind == reflect.String {
			reflect.Copy(to, from)
			return
		}
		for i := range from.Len() {
			copyValue(to.Index(i), from.Index(i))
		}
	case reflect.Map:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeMapWithSize(from.Type(), from.Len()))
		for it := from.MapRange(); it.Next(); {
			value := reflect.New(from.Type().Elem()).Elem()
			copyValue(value, it.Value())
			to.SetMapIndex(it.Key(), value)
		}
	case reflect.Interface:
		if !from.IsNil() {
			value := reflect.New(from.Elem().Type()).Elem()
			copyValue(value, from.Elem())
			to.Set(value)
		}
	case reflect.Struct:
		if from.Type() == reflect.TypeFor[time.Time]() {
			to.Set(from)
			return
		}
		for i := range from.NumField() {
			if to.Field(i).CanSet() { // it is exported
				copyValue(to.Field(i), from.Field(i))
			}
		}
	default:
		to.Set(from)
	}
}

// encodingOf is what appendValue appends.
func encodingOf(v any) []byte { return appendValue(nil, reflect.ValueOf(v)) }

// appendValue appends an encoding of the exported fields of a value, which no
// value that differs in one has too. A slice that is empty equals one that is
// nil, and a time is left out: the machine does not decide by it.
func appendValue(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return append(b, 0)
		}
		return appendValue(append(b, 1), v.Elem())
	case reflect.Interface: // a number in it has another type once it was encoded
		return append(fmt.Append(b, v.Interface()), 0)
	case reflect.Slice:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		for i := range v.Len() {
			b = appendValue(b, v.Index(i))
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		b = binary.AppendUvarint(b, uint64(len(keys)))
		for _, k := range keys {
			b = appendValue(appendValue(b, k), v.MapIndex(k))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return b
		}
		for i := range v.NumField() {
			if v.Field(i).CanInterface() { // it is exported
				b = appendValue(b, v.Field(i))
			}
		}
	case reflect.String:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		return append(b, v.String()...)
	case reflect.Bool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.AppendVarint(b, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return binary.AppendUvarint(b, v.Uint())
	case reflect.Float64:
		return fmt.Append(b, v.Float(), ";")
	default:
		panic(fmt.Sprintf("a %s is neither copied nor compared", v.Type()))
	}
	return b
}

// TestDeepCopy: a copy has everything, and shares nothing.
func TestDeepCopy(t *testing.T) {
	one := 1
	type inner struct {
		N    *int
		List []string
	}
	type outer struct {
		Inner  inner
		Inners []*inner
		Map    map[string]any
		At     time.Time
		Nil    *inner
		hidden int
	}
	encoding := func(o *outer) string { return string(encodingOf(o)) }
	from := &outer{
		Inner: inner{N: &one, List: []string{"a", "b"}}, Inners: []*inner{{List: []string{"c"}}, nil},
		Map: map[string]any{"x": 1, "y": "z"}, At: time.Unix(1, 0), hidden: 1,
	}
	to := deepCopy(from)
	if to.hidden != 0 {
		t.Error("an unexported field is copied")
	}
	to.hidden = 1
	if !reflect.DeepEqual(from, to) || encoding(from) != encoding(to) {
		t.Fatalf("the copy is %+v, want %+v", to, from)
	}
	for name, change := range map[string]func(){
		"a pointer":            func() { *to.Inner.N = 2 },
		"an element":           func() { to.Inner.List[1] = "c" },
		"a pointer in a slice": func() { to.Inners[0].List = nil },
		"nil in a slice":       func() { to.Inners[1] = &inner{} },
		"a value in a map":     func() { to.Map["x"] = 2 },
		"a key in a map":       func() { delete(to.Map, "y") },
		"a nil pointer":        func() { to.Nil = &inner{} },
		"the end of a string":  func() { to.Inner.List = []string{"ab", ""} },
	} {
		before := encoding(from)
		to = deepCopy(from)
		change()
		if encoding(to) == before {
			t.Errorf("the encoding is the same after a change of %s", name)
		}
		if encoding(from) != before {
			t.Errorf("the original has changed with %s of the copy", name)
		}
	}
}
