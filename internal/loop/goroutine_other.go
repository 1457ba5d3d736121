//go:build !unix

package loop

import (
	"errors"
	"net"
)

var errNoDescriptors = errors.New("raw descriptors are not supported on this system")

func connOf(int) (net.Conn, error) { return nil, errNoDescriptors }

func control(net.Conn, func(fd int)) {}

func awaitPeer(_ net.Conn, known bool) (bool, error) { return known, nil }

func (b *goroutineBackend) addWatch(*Watch) error { return errNoDescriptors }
func (b *goroutineBackend) setWatch(*Watch) error { return errNoDescriptors }
func (b *goroutineBackend) removeWatch(*Watch)    {}
