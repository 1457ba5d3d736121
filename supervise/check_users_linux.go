package supervise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/internal/fleet"
)

// namingUsers adds to an error of opening an address who has it, as check does.
func namingUsers(err error) error {
	var listen *fleet.ListenError
	if !errors.As(err, &listen) {
		return err
	}
	a, e := addr.Parse(listen.Addr)
	if e != nil {
		return err
	}
	form := "%w by %s" // address already in use
	if isLive(err) {
		form = "%w: %s"
	}
	return fmt.Errorf(form, err, (&checker{root: "/"}).users(a))
}

// users names the processes that have the socket which is in the way of an
// address, as far as we may look.
func (k *checker) users(a addr.Addr) string {
	inodes := k.inodes(a)
	var names []string
	files, _ := filepath.Glob(filepath.Join(k.root, "proc/[0-9]*/fd/*")) // only of those that we may look into
	for _, file := range files {
		link, err := os.Readlink(file)
		if err != nil {
			continue
		}
		inode, ok := strings.CutPrefix(link, "socket:[")
		if !ok || !slices.Contains(inodes, strings.TrimSuffix(inode, "]")) {
			continue
		}
		process := filepath.Dir(filepath.Dir(file))
		name, _ := os.ReadFile(filepath.Join(process, "comm"))
		text := fmt.Sprintf("%s (pid %s)", or(strings.TrimSpace(string(name)), "a process"), filepath.Base(process))
		if !slices.Contains(names, text) {
			names = append(names, text)
		}
	}
	const most = 3
	switch {
	case len(names) == 0:
		return "another process, which only root may see"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// inodes are the sockets that are bound to the port, or the path, of an address.
func (k *checker) inodes(a addr.Addr) []string {
	tables := []string{"tcp", "tcp6"}
	switch a.Scheme {
	case addr.UDP:
		tables = []string{"udp", "udp6"}
	case addr.Unix:
		tables = []string{"unix"}
	}
	var list []string
	for _, table := range tables {
		b, err := os.ReadFile(filepath.Join(k.root, "proc/net", table))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if inode := socketAt(a, strings.Fields(line)); inode != "" {
				list = append(list, inode)
			}
		}
	}
	return list
}

// socketAt is the inode of a line of /proc/net, where it is a socket that
// stands in the way of an address.
func socketAt(a addr.Addr, f []string) string {
	if a.Scheme == addr.Unix { // Num: RefCount Protocol Flags Type St Inode Path
		if len(f) == 8 && f[7] == a.Path {
			return f[6]
		}
		return ""
	}
	// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
	const listening = "0A"
	if len(f) < 10 || !strings.HasSuffix(f[1], fmt.Sprintf(":%04X", a.Port)) || a.Scheme != addr.UDP && f[3] != listening {
		return ""
	}
	return f[9]
}
