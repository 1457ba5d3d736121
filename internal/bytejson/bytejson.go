// Package bytejson is JSON whose strings may hold any bytes.
//
// Paths, addresses and arguments are bytes, and JSON has only text: the package
// encoding/json puts U+FFFD in the place of a byte that is not UTF-8, and the path
// is then another one. So everything that crosses a process goes through Encode and
// Decode, in which such a byte b is the character U+10FF00+b. These are characters
// for private use; where a string really has one, each of its bytes is encoded so.
package bytejson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"unicode/utf8"
)

// armour and a byte make the character that stands for the byte.
const armour rune = 0x10FF00

// armoured reports a character that stands for a byte.
func armoured(r rune) bool { return r >= armour+utf8.RuneSelf }

// Encode is json.Marshal that keeps every byte of every string.
func Encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil || !lossy(b) {
		return b, err
	}
	return json.Marshal(rewrite(reflect.ValueOf(v), armourString).Interface())
}

// Decode is json.Unmarshal of what Encode has made; v is a pointer.
func Decode(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return err
	}
	if lossy(b) || bytes.Contains(b, []byte(`\u`)) { // whoever else encodes may escape what is not ASCII
		target := reflect.ValueOf(v).Elem()
		target.Set(rewrite(target, disarmString))
	}
	return nil
}

// lossy reports whether JSON lacks a byte of its strings, or has a character that
// decoding would take for one.
func lossy(b []byte) bool {
	return bytes.Contains(b, []byte(`\ufffd`)) || bytes.Contains(b, []byte("\xf4\x8f\xbe")) || bytes.Contains(b, []byte("\xf4\x8f\xbf"))
}

func armourString(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, armoured) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || armoured(r) {
			for _, c := range []byte(s[i : i+n]) {
				out.WriteRune(armour + rune(c))
			}
		} else {
			out.WriteString(s[i : i+n])
		}
		i += n
	}
	return out.String()
}

func disarmString(s string) string {
	if !strings.ContainsFunc(s, armoured) {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		if armoured(r) {
			out.WriteByte(byte(r - armour))
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// rewrite gives a copy of a value in which fn has changed every string that JSON
// shows. Values that encode themselves, such as times, stay as they are.
func rewrite(v reflect.Value, fn func(string) string) reflect.Value {
	if !v.IsValid() {
		return v
	}
	if _, own := v.Interface().(json.Marshaler); own {
		return v
	}
	switch v.Kind() {
	case reflect.String:
		return reflect.ValueOf(fn(v.String())).Convert(v.Type())
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return v
		}
		inner := rewrite(v.Elem(), fn)
		if v.Kind() == reflect.Interface {
			return inner
		}
		c := reflect.New(v.Type().Elem())
		c.Elem().Set(inner)
		return c
	case reflect.Slice:
		if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 { // JSON has bytes as base64
			return v
		}
		return rewriteList(reflect.MakeSlice(v.Type(), v.Len(), v.Len()), v, fn)
	case reflect.Array:
		return rewriteList(reflect.New(v.Type()).Elem(), v, fn)
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		c := reflect.MakeMapWithSize(v.Type(), v.Len())
		for each := v.MapRange(); each.Next(); {
			c.SetMapIndex(rewrite(each.Key(), fn), rewrite(each.Value(), fn))
		}
		return c
	case reflect.Struct:
		return rewriteStruct(v, fn)
	}
	return v
}

func rewriteList(c, v reflect.Value, fn func(string) string) reflect.Value {
	for i := range v.Len() {
		c.Index(i).Set(rewrite(v.Index(i), fn))
	}
	return c
}

func rewriteStruct(v reflect.Value, fn func(string) string) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() {
			c.Field(i).Set(rewrite(v.Field(i), fn))
		}
	}
	return c
}
