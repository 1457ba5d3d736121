package supervise

import "testing"

// TestTogether: a command says that it was carried out with others.
func TestTogether(t *testing.T) {
	for _, tt := range []struct {
		detail map[string]any
		want   string
	}{
		{map[string]any{}, ""},
		{map[string]any{"together": 2}, " (one change for 2 commands)"},
		{map[string]any{"together": 600, "asked": 3}, " (one change for 600 commands; this one asked for 3)"},
	} {
		if got := together(tt.detail); got != tt.want {
			t.Errorf("%v prints %q, want %q", tt.detail, got, tt.want)
		}
	}
}
