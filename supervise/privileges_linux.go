package supervise

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jay-go/jay/internal/sys"
)

// processMask is the umask of master and workers: others get nothing.
const processMask = 0o027

// restrain sets what all processes of the service inherit.
func (m *master) restrain() error {
	syscall.Umask(processMask)
	return errors.Join(sys.HeedReserved(), sys.CoreDumps(m.o.CoreDumps))
}

// trySwitch finds out whether a process can be started as the workers' user at
// all, before anything depends on it.
func trySwitch(cred *syscall.Credential) error {
	if cred == nil {
		return nil
	}
	if err := sys.TrySwitch(cred); err != nil {
		return fmt.Errorf("run workers as uid %d, gid %d: %w; the master needs CAP_SETUID and CAP_SETGID", cred.Uid, cred.Gid, err)
	}
	return nil
}

// identityOf is a credential as a worker is told it.
func identityOf(cred *syscall.Credential) *identity {
	if cred == nil {
		return nil
	}
	return &identity{UID: cred.Uid, GID: cred.Gid, Groups: cred.Groups}
}

// checkIdentity verifies, in a worker, that every thread is what the master
// wanted it to be and cannot become anything else: the kernel has switched it
// at the exec.
func checkIdentity(want *identity) error {
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(threads) == 0 {
		return fmt.Errorf("no threads to be seen in /proc/self/task; is /proc mounted?")
	}
	for _, file := range threads {
		fields, err := statusFields(file)
		if os.IsNotExist(err) {
			continue // the thread has ended
		}
		if err == nil {
			err = checkThread(want, fields)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// checkThread holds the fields of one thread's status against the identity.
func checkThread(want *identity, fields map[string]string) error {
	expect := map[string]string{"NoNewPrivs": "1"}
	if want != nil {
		expect["Uid"] = fourTimes(want.UID)
		expect["Gid"] = fourTimes(want.GID)
		if want.UID != 0 {
			for _, set := range []string{"CapPrm", "CapEff", "CapAmb"} {
				expect[set] = "0000000000000000"
			}
		}
		if got := sortedNumbers(fields["Groups"]); got != sortedNumbers(groupsText(want.Groups)) {
			return fmt.Errorf("groups are %q, want %q", got, groupsText(want.Groups))
		}
	}
	for name, value := range expect {
		if got := strings.Join(strings.Fields(fields[name]), " "); got != value {
			return fmt.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	return nil
}

// statusFields reads a status file of /proc.
func statusFields(file string) (map[string]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fields := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok {
			fields[name] = value
		}
	}
	return fields, lines.Err()
}

// fourTimes is how /proc shows a real, effective, saved and file system id.
func fourTimes(id uint32) string {
	n := strconv.Itoa(int(id))
	return strings.Join([]string{n, n, n, n}, " ")
}

func groupsText(groups []uint32) string {
	var list []string
	for _, g := range groups {
		list = append(list, strconv.Itoa(int(g)))
	}
	return strings.Join(list, " ")
}

func sortedNumbers(text string) string {
	list := strings.Fields(text)
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

// credential is whom the workers run as; nil means as we do.
func credential(name, group string) (*syscall.Credential, error) {
	if name == "" && group == "" {
		return nil, nil
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("run workers as user %q, group %q: only root can switch; start as root or leave the flags out", name, group)
	}
	return lookUp(name, group)
}

// lookUp is credential without a look at who we are.
func lookUp(name, group string) (*syscall.Credential, error) {
	c := &syscall.Credential{Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())}
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			if u, err = user.LookupId(name); err != nil {
				return nil, fmt.Errorf("--user %s: there is no such user", name)
			}
		}
		ids, err := u.GroupIds()
		if err != nil {
			return nil, fmt.Errorf("--user %s: groups: %w", name, err)
		}
		c.Uid, c.Gid = number(u.Uid), number(u.Gid)
		for _, id := range ids {
			c.Groups = append(c.Groups, number(id))
		}
	}
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			if g, err = user.LookupGroupId(group); err != nil {
				return nil, fmt.Errorf("--group %s: there is no such group", group)
			}
		}
		c.Gid = number(g.Gid)
	}
	return c, nil
}

func number(id string) uint32 {
	n, _ := strconv.ParseUint(id, 10, 32) // ids are numbers on Linux
	return uint32(n)
}
