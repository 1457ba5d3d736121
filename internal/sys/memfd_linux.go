package sys

import (
	"os"
	"strconv"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Memfd makes an anonymous file, close-on-exec. Its size is zero.
func Memfd(name string) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	return fd, os.NewSyscallError("memfd_create", err)
}

// WriteAt writes all of b to a file.
func WriteAt(fd int, b []byte, at int64) error {
	for done := 0; done < len(b); {
		n, err := unix.Pwrite(fd, b[done:], at+int64(done))
		if err != nil {
			return os.NewSyscallError("pwrite", err)
		}
		done += n
	}
	return nil
}

// SharedWords are 64-bit words that every process with the descriptor sees.
type SharedWords struct {
	mem []byte
}

// MapWords maps n words of fd, which grows to hold them. The mapping stays
// valid after fd is closed.
func MapWords(fd, n int) (*SharedWords, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	if st.Size < int64(8*n) {
		if err := unix.Ftruncate(fd, int64(8*n)); err != nil {
			return nil, os.NewSyscallError("ftruncate", err)
		}
	}
	mem, err := unix.Mmap(fd, 0, 8*n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &SharedWords{mem: mem}, nil
}

// Word is word i. It must not be used after Unmap.
func (s *SharedWords) Word(i int) *atomic.Int64 {
	return (*atomic.Int64)(unsafe.Pointer(&s.mem[8*i]))
}

// Unmap ends the use of the words.
func (s *SharedWords) Unmap() error { return os.NewSyscallError("munmap", unix.Munmap(s.mem)) }

// SizeMemfd gives an anonymous file its size, which nobody can change afterwards.
// Again with the same size it does nothing.
func SizeMemfd(fd, size int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if st.Size == int64(size) {
		return nil
	}
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		return os.NewSyscallError("ftruncate", err)
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW)
	return os.NewSyscallError("fcntl F_ADD_SEALS", err)
}

// MapPart maps size bytes from offset, a multiple of the page size, of a file
// that has them, to read or to write as well. The mapping stays valid after fd is closed.
func MapPart(fd, offset, size int, write bool) (*SharedWords, error) {
	prot := unix.PROT_READ
	if write {
		prot |= unix.PROT_WRITE
	}
	mem, err := unix.Mmap(fd, int64(offset), size, prot, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &SharedWords{mem: mem}, nil
}

// ReopenToRead opens the file of a descriptor once more: what is mapped by it can
// never become writable.
func ReopenToRead(fd int) (int, error) {
	path := "/proc/self/fd/" + strconv.Itoa(fd)
	n, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return n, nil
}
