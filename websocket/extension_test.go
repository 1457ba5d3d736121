package websocket

import (
	"strings"
	"testing"
)

func TestNegotiate(t *testing.T) {
	const none = "; server_no_context_takeover; client_no_context_takeover"
	for _, tt := range []struct {
		name, offer string
		config      *Deflate
		want        string
	}{
		{"off", "permessage-deflate", nil, ""},
		{"nothing offered", "", &Deflate{}, ""},
		{"plain", "permessage-deflate", &Deflate{}, "permessage-deflate" + none},
		{"a browser's", "permessage-deflate; client_max_window_bits", &Deflate{}, "permessage-deflate" + none},
		{"both takeovers", "permessage-deflate", &Deflate{ServerTakeover: true, ClientTakeover: true}, "permessage-deflate"},
		{"server takeover, client objects", "permessage-deflate; server_no_context_takeover", &Deflate{ServerTakeover: true}, "permessage-deflate" + none},
		{"client does not want it", "permessage-deflate; client_no_context_takeover", &Deflate{ServerTakeover: true, ClientTakeover: true}, "permessage-deflate; client_no_context_takeover"},
		{"server bits", "permessage-deflate; server_max_window_bits=9", &Deflate{}, "permessage-deflate" + none + "; server_max_window_bits=9"},
		{"server bits 8", "permessage-deflate; server_max_window_bits=8", &Deflate{}, "permessage-deflate" + none + "; server_max_window_bits=8"},
		{"server bits, ours are fewer", "permessage-deflate; server_max_window_bits=12", &Deflate{ServerWindowBits: 10}, "permessage-deflate" + none + "; server_max_window_bits=10"},
		{"client bits wanted", "permessage-deflate; client_max_window_bits", &Deflate{ClientWindowBits: 10}, "permessage-deflate" + none + "; client_max_window_bits=10"},
		{"client bits wanted, fewer offered", "permessage-deflate; client_max_window_bits=9", &Deflate{ClientWindowBits: 10}, "permessage-deflate" + none},
		{"client bits wanted, not known", "permessage-deflate", &Deflate{ClientWindowBits: 10}, "permessage-deflate" + none},
		{"quoted", `permessage-deflate; server_max_window_bits="10"`, &Deflate{}, "permessage-deflate" + none + "; server_max_window_bits=10"},
		{"second offer", "permessage-deflate; new_thing, permessage-deflate", &Deflate{}, "permessage-deflate" + none},
		{"another extension first", "x-webkit; a=b; c , permessage-deflate", &Deflate{}, "permessage-deflate" + none},
		{"empty members of the list", ",, permessage-deflate,", &Deflate{}, "permessage-deflate" + none},
		{"nothing but empty members", ", ,", &Deflate{}, ""},
		{"unknown parameter", "permessage-deflate; new_thing", &Deflate{}, ""},
		{"twice", "permessage-deflate; client_max_window_bits; client_max_window_bits", &Deflate{}, ""},
		{"twice with value", "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", &Deflate{}, ""},
		{"flag with a value", "permessage-deflate; server_no_context_takeover=1", &Deflate{}, ""},
		{"server bits without a value", "permessage-deflate; server_max_window_bits", &Deflate{}, ""},
		{"bits 7", "permessage-deflate; server_max_window_bits=7", &Deflate{}, ""},
		{"bits 16", "permessage-deflate; client_max_window_bits=16", &Deflate{}, ""},
		{"leading zero", "permessage-deflate; server_max_window_bits=09", &Deflate{}, ""},
		{"sign", "permessage-deflate; server_max_window_bits=+9", &Deflate{}, ""},
		{"empty value", "permessage-deflate; server_max_window_bits=", &Deflate{}, ""},
		{"not a list", "permessage-deflate permessage-deflate", &Deflate{}, ""},
		{"open quote", `permessage-deflate; server_max_window_bits="9`, &Deflate{}, ""},
		{"empty parameter", "permessage-deflate;", &Deflate{}, ""},
		{"another case", "Permessage-Deflate", &Deflate{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, got := negotiate(tt.config, tt.offer)
			if got != tt.want {
				t.Errorf("answer %q, want %q", got, tt.want)
			}
			if (a.serverBits == 0) != (got == "") {
				t.Errorf("agreed %+v, answered %q", a, got)
			}
		})
	}
}

// FuzzExtensions: whatever is offered, the answer is nothing or an agreement
// that the offer allows.
func FuzzExtensions(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits=10, permessage-deflate")
	f.Add(`x; a="b", permessage-deflate;server_max_window_bits = "8"`)
	f.Fuzz(func(t *testing.T, offer string) {
		a, got := negotiate(&Deflate{ServerTakeover: true, ClientTakeover: true, ClientWindowBits: 9}, offer)
		if got == "" {
			if a != (agreement{}) {
				t.Errorf("no answer, but %+v", a)
			}
			return
		}
		if !strings.Contains(offer, extensionName) || a.serverBits < minWindowBits || a.serverBits > maxWindowBits ||
			a.clientBits < minWindowBits || a.clientBits > maxWindowBits {
			t.Errorf("%q: %+v", got, a)
		}
	})
}
