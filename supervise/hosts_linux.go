package supervise

import (
	"fmt"
	"maps"
	"net"
	"net/netip"

	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/internal/bytejson"
	"github.com/jay-go/jay/internal/fleet"
)

// hostBook knows the addresses of the hosts that listen addresses name. To look a
// name up may take many seconds, so whoever reads the addresses does it, and
// the owner looks into the book.
type hostBook map[string]host

// host is what looking up a name has given.
type host struct {
	IP    string `json:"ip"` // with its zone
	Error string `json:"error,omitempty"`
}

// lookUpHosts asks for every name in the addresses.
func lookUpHosts(specs []fleet.Spec) hostBook {
	book := hostBook{}
	for _, spec := range specs {
		for _, text := range spec.Listen {
			a, err := addr.Parse(text)
			if err != nil || isLiteral(a) {
				continue
			}
			if _, known := book[a.Host]; known {
				continue
			}
			ip, err := net.ResolveIPAddr("ip", a.Host)
			if err != nil {
				book[a.Host] = host{Error: err.Error()}
			} else {
				book[a.Host] = host{IP: ip.String()}
			}
		}
	}
	return book
}

// hostsOf are those that a description names.
func hostsOf(b []byte) hostBook {
	var desc description
	if bytejson.Decode(b, &desc) != nil {
		return nil // whoever judges it says so
	}
	return lookUpHosts(desc.Specs)
}

// isLiteral reports an address that names no host.
func isLiteral(a addr.Addr) bool {
	if a.Scheme == addr.Unix || a.Host == "" {
		return true
	}
	_, err := netip.ParseAddr(a.Host)
	return err == nil
}

// literal is an address with the host's own address in the place of its name.
func (h hostBook) literal(a addr.Addr) (addr.Addr, error) {
	if isLiteral(a) {
		return a, nil
	}
	found, ok := h[a.Host]
	switch {
	case !ok:
		return a, fmt.Errorf("lookup %s: not done", a.Host)
	case found.Error != "":
		return a, fmt.Errorf("%s", found.Error)
	}
	a.Host = found.IP
	return a, nil
}

// literals is literal for a list as text. What is not known stays as it is not found.
func (h hostBook) literals(listen []string) []string {
	list := make([]string, len(listen))
	for i, text := range listen {
		list[i] = text
		if a, err := addr.Parse(text); err == nil {
			if a, err = h.literal(a); err == nil {
				list[i] = a.String()
			} else {
				list[i] = "" // no address
			}
		}
	}
	return list
}

// add takes what another book knows.
func (h hostBook) add(more hostBook) { maps.Copy(h, more) }
