package supervise

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/jay-go/jay/internal/sys"
)

// checkRunDir looks at the run directory as openRunDir would use it.
func (k *checker) checkRunDir() {
	const area = "run directory"
	path, err := filepath.Abs(k.c.runDir)
	if err != nil {
		k.say(checkError, area, err.Error())
		return
	}
	dir := &runDir{path: path}
	if err := dir.fits(); err != nil {
		k.say(checkError, area, err.Error(), "choose a shorter --run-dir")
		return
	}
	fi, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		k.mayMake(area, path)
		return
	}
	if err != nil {
		k.say(checkError, area, err.Error(), "choose another --run-dir")
		return
	}
	st := fi.Sys().(*syscall.Stat_t)
	switch {
	case !fi.IsDir():
		k.say(checkError, area, path+" is not a directory", "choose another --run-dir")
	case int(st.Uid) != os.Geteuid():
		k.say(checkError, area, fmt.Sprintf("%s belongs to %s, and we are %s", path, userName(st.Uid), userName(uint32(os.Geteuid()))),
			fmt.Sprintf("run as %s", userName(st.Uid)), "choose another --run-dir")
	case errors.Is(sys.MayCreateIn(path), unix.EROFS):
		k.say(checkError, area, path+" is on a file system that is mounted read-only", "choose another --run-dir")
	case isEmpty(dir.pidFile()) && sys.HasRoom(path) != nil:
		k.say(checkError, area, fmt.Sprintf("%s: there is no room for the pid file: %v", path, sys.HasRoom(path)), "make room", "choose another --run-dir")
	case !isFile(dir.pidFile()):
		k.say(checkError, area, dir.pidFile()+" is no regular file", "choose another --run-dir", "rm "+dir.pidFile())
	case isDir(dir.control()):
		k.say(checkError, area, dir.control()+" is a directory", "choose another --run-dir", "rmdir "+dir.control())
	case fi.Mode().Perm() != 0o700:
		k.ok(area, "%s has mode %#o; a start makes it 0700", path, fi.Mode().Perm())
	default:
		k.ok(area, "%s", path)
	}
	k.findMaster()
}

// mayMake says whether a directory that is not there could be made.
func (k *checker) mayMake(area, path string) {
	above := filepath.Dir(path)
	for {
		fi, err := os.Stat(above)
		if err == nil && !fi.IsDir() {
			err = syscall.ENOTDIR
		}
		if err == nil {
			err = sys.MayCreateIn(above)
		}
		if err == nil {
			err = sys.HasRoom(above)
		}
		switch {
		case errors.Is(err, os.ErrNotExist) && above != "/":
			above = filepath.Dir(above)
			continue
		case err != nil:
			k.say(checkError, area, fmt.Sprintf("%s is not there and cannot be made in %s: %v", path, above, err),
				"choose another --run-dir", fmt.Sprintf("as root: install -d -m 0700 -o %s %s", userName(uint32(os.Geteuid())), path),
				"in a systemd unit: RuntimeDirectory=")
		default:
			k.ok(area, "%s will be made", path)
		}
		return
	}
}

// checkLog looks at the file that the log would go to, without making it.
func (k *checker) checkLog() {
	const area = "log"
	path, daemons := k.c.logFile, filepath.Join(k.c.runDir, k.c.prog+".log")
	switch {
	case path == "" && !k.c.daemon:
		k.ok(area, "standard error; with -d %s", daemons)
		return
	case path == "":
		path = daemons
	}
	dir := filepath.Dir(path)
	fi, err := os.Stat(path)
	switch {
	case path == daemons && errors.Is(err, os.ErrNotExist) && !isLink(path): // it is made with its directory
		k.ok(area, "%s will be made", path)
	case isLink(path) && !strings.HasPrefix(filepath.Clean(path), "/dev/"):
		k.say(checkError, area, path+" is a symbolic link, which is not followed: whoever may write "+dir+" could point it anywhere", "name the file itself")
	case errors.Is(err, os.ErrNotExist):
		k.mayMakeLog(path, dir)
	case err == nil && fi.IsDir():
		k.say(checkError, area, path+" is a directory", "choose another --log-file")
	default:
		if err == nil {
			err = sys.MayWrite(path)
		}
		if err != nil {
			k.say(checkError, area, fmt.Sprintf("%s cannot be written: %v", path, err), "choose another --log-file", ownIt(path))
			return
		}
		if fi.Mode()&os.ModeNamedPipe != 0 {
			k.ok(area, "%s is a pipe: lines that nobody reads are dropped, and counted, when it is full", path)
			return
		}
		k.ok(area, "%s", path)
	}
}

// isEmpty reports a file without anything in it, or none.
func isEmpty(path string) bool {
	fi, err := os.Lstat(path)
	return err != nil || fi.Size() == 0
}

// isFile reports a regular file, or none.
func isFile(path string) bool {
	fi, err := os.Lstat(path)
	return err != nil || fi.Mode().IsRegular()
}

func isDir(path string) bool {
	fi, err := os.Lstat(path)
	return err == nil && fi.IsDir()
}

func isLink(path string) bool {
	fi, err := os.Lstat(path)
	return err == nil && fi.Mode()&os.ModeSymlink != 0
}

func (k *checker) mayMakeLog(path, dir string) {
	const area = "log"
	switch err := sys.MayCreateIn(dir); {
	case errors.Is(err, os.ErrNotExist):
		k.say(checkError, area, fmt.Sprintf("%s: the directory %s is not there", path, dir), "mkdir -p "+dir)
	case err != nil:
		k.say(checkError, area, fmt.Sprintf("%s cannot be made in %s: %v", path, dir, err), "choose another --log-file", ownIt(dir))
	default:
		k.ok(area, "%s will be made", path)
	}
}

// ownIt makes a file ours.
func ownIt(path string) string {
	return fmt.Sprintf("as root: chown %s %s", userName(uint32(os.Geteuid())), path)
}

// checkIdentity looks at whom the workers would run as.
func (k *checker) checkIdentity() {
	const area = "user"
	cred, err := credential(k.c.user, k.c.group)
	if err != nil {
		k.say(checkError, area, err.Error(), identityFixes(k.c)...)
		return
	}
	if err := trySwitch(cred); err != nil {
		k.say(checkError, area, err.Error(), "in a systemd unit: CapabilityBoundingSet= with CAP_SETUID and CAP_SETGID in it", "for a container: docker run --cap-add SETUID --cap-add SETGID")
		return
	}
	k.cred = cred
	uid, gid := uint32(os.Geteuid()), uint32(os.Getegid())
	if cred != nil {
		uid, gid = cred.Uid, cred.Gid
	}
	if uid == 0 {
		k.say(checkWarning, area, "the workers run as root: whoever takes one over has the machine",
			"--user NAME, for which the master stays root (useradd --system NAME makes such a user)", "User= in a systemd unit, or USER in a Dockerfile")
		return
	}
	k.ok(area, "the workers run as %s, group %s", userName(uid), groupName(gid))
}

func identityFixes(c *config) []string {
	switch {
	case os.Geteuid() != 0:
		return []string{"start as root", "leave --user and --group out: the workers are then who starts them"}
	case c.group != "":
		return []string{"groupadd --system " + c.group}
	}
	return []string{"useradd --system " + c.user}
}

// checkProgramFile looks whether the workers' user may execute the program.
// Workers are executed from an open descriptor, so directories do not matter.
func (k *checker) checkProgramFile() {
	const area = "program file"
	var st syscall.Stat_t
	if err := syscall.Stat(k.path, &st); err != nil {
		k.say(checkError, area, fmt.Sprintf("%s: %v", k.path, err))
		return
	}
	who := "the workers' user " + userName(uint32(os.Geteuid()))
	if k.cred != nil {
		who = "the workers' user " + userName(k.cred.Uid)
	}
	mode := fmt.Sprintf("mode %#o, of %s:%s", st.Mode&0o7777, userName(st.Uid), groupName(st.Gid))
	if file, err := openProgram(k.path); errors.Is(err, syscall.EACCES) {
		k.say(checkError, area, fmt.Sprintf("%s may not read %s (%s), and the master opens it: workers are executed from what it has open", userName(uint32(os.Geteuid())), k.path, mode),
			"chmod a+r "+k.path)
		return
	} else if err == nil {
		sys.Close(file)
	}
	switch bits := permissions(&st, k.cred); {
	case bits&1 == 0:
		k.say(checkError, area, fmt.Sprintf("%s may not execute %s (%s)", who, k.path, mode), "chmod a+rx "+k.path)
	case bits&4 == 0:
		k.say(checkWarning, area, fmt.Sprintf("%s may not read %s (%s): it cannot be debugged", who, k.path, mode), "chmod a+rx "+k.path)
	default:
		k.ok(area, "%s", k.path)
	}
}

// permissions are the bits rwx that a file gives to a credential; nil is ours.
func permissions(st *syscall.Stat_t, cred *syscall.Credential) uint32 {
	uid, gid, groups := uint32(os.Geteuid()), uint32(os.Getegid()), []uint32(nil)
	if cred != nil {
		uid, gid, groups = cred.Uid, cred.Gid, cred.Groups
	} else if list, err := os.Getgroups(); err == nil {
		for _, g := range list {
			groups = append(groups, uint32(g))
		}
	}
	switch {
	case uid == 0: // may read all, and execute what anybody may
		return 6 | (st.Mode|st.Mode>>3|st.Mode>>6)&1
	case uid == st.Uid:
		return st.Mode >> 6 & 7
	case gid == st.Gid || slices.Contains(groups, st.Gid):
		return st.Mode >> 3 & 7
	}
	return st.Mode & 7
}

func userName(uid uint32) string {
	n := strconv.Itoa(int(uid))
	if u, err := user.LookupId(n); err == nil {
		return u.Username
	}
	return n
}

func groupName(gid uint32) string {
	n := strconv.Itoa(int(gid))
	if g, err := user.LookupGroupId(n); err == nil {
		return g.Name
	}
	return n
}
