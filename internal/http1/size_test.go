package http1

import (
	"reflect"
	"testing"
)

// What a kept connection costs this package besides the jay.Conn.
func TestConnectionAtRestIsSmall(t *testing.T) {
	if size := reflect.TypeFor[serverConn]().Size(); size > 32 {
		t.Errorf("%d bytes, want at most 32", size)
	}
}
