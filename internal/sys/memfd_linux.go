package sys

import (
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Memfd makes an anonymous file, close-on-exec. Its size is zero.
func Memfd(name string) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
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
