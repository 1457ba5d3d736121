package logs

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/internal/sys"
)

// never are the limits of a file that is not put aside.
var never = Limits{Size: -1, Age: -1, Backups: -1, Keep: -1}

// testLog is a log in a directory of its own.
func testLog(t *testing.T, limits Limits) (l *File, failures *atomic.Int64) {
	t.Helper()
	failures = &atomic.Int64{}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	l, err := OpenFile(filepath.Join(dir, "x.log"), limits, false, func(err error) { failures.Add(1); t.Log(err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, failures
}

// files are those of the log, the present one last.
func files(t *testing.T, l *File) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(filepath.Dir(l.path), "*"))
	if err != nil {
		t.Fatal(err)
	}
	return list // "x-TIME…" is before "x.log"
}

func write(t *testing.T, l *File, text string) {
	t.Helper()
	if _, err := io.WriteString(l, text); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRotateBySize: no file has more than its limit, a single line aside.
func TestRotateBySize(t *testing.T) {
	limits := never
	limits.Size = 10
	l, _ := testLog(t, limits)
	for _, line := range []string{"123456789\n", "a\n", "b\n", "a line of more than ten bytes\n", "c\n"} {
		write(t, l, line)
	}
	var got []string
	for _, file := range files(t, l) {
		got = append(got, content(t, file))
	}
	want := []string{"123456789\n", "a\nb\n", "a line of more than ten bytes\n", "c\n"}
	if !slices.Equal(got, want) {
		t.Errorf("the files have %q, want %q", got, want)
	}
	for _, file := range files(t, l)[:3] {
		if !strings.Contains(file, "-size") {
			t.Errorf("%s does not say why it was put aside", file)
		}
	}
}

// TestRotateByAge: the age is that of the file, not of the process that has
// it open.
func TestRotateByAge(t *testing.T) {
	limits := never
	limits.Age = time.Hour
	l, _ := testLog(t, limits)
	_, known := sys.BirthTime(l.f)
	needs.That(t, known, "a file system that keeps when a file was created, for "+l.path)
	write(t, l, "old\n")
	again, err := OpenFile(l.path, limits, false, l.failed)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if !again.born.Equal(l.born) {
		t.Errorf("opened again the file is of %v, before of %v", again.born, l.born)
	}
	write(t, again, "young\n")
	again.born = again.born.Add(-limits.Age)
	write(t, again, "new\n")
	list := files(t, l)
	if len(list) != 2 || !strings.HasSuffix(list[0], "-age.log") {
		t.Fatalf("files %q, want one put aside for its age", list)
	}
	if old, now := content(t, list[0]), content(t, list[1]); old != "old\nyoung\n" || now != "new\n" {
		t.Errorf("the old file has %q, the new one %q", old, now)
	}
	if age := time.Since(again.born); age > time.Minute {
		t.Errorf("the new file is %v old", age)
	}
}

// TestBackups: the newest few are kept, and none beyond its time.
func TestBackups(t *testing.T) {
	t.Run("number", func(t *testing.T) {
		limits := never
		limits.Size, limits.Backups = 1, 3
		l, _ := testLog(t, limits)
		for i := range 8 {
			write(t, l, fmt.Sprintln(i))
			time.Sleep(2 * time.Millisecond) // the names have milliseconds
		}
		var got string
		for _, file := range files(t, l) {
			got += content(t, file)
		}
		if got != "4\n5\n6\n7\n" {
			t.Errorf("of 8 files of a line the present one and 3 others have %q", got)
		}
	})
	t.Run("age", func(t *testing.T) {
		limits := never
		limits.Size, limits.Keep = 1, 36*time.Hour // two days have begun
		l, _ := testLog(t, limits)
		dir := filepath.Dir(l.path)
		name := func(age time.Duration) string {
			return filepath.Join(dir, "x-"+time.Now().UTC().Add(-age).Format("2006-01-02T15-04-05.000")+"-size.log")
		}
		kept, gone, other := name(47*time.Hour), name(49*time.Hour), filepath.Join(dir, "y.log")
		for _, file := range []string{kept, gone, other} {
			if err := os.WriteFile(file, nil, 0o640); err != nil {
				t.Fatal(err)
			}
		}
		write(t, l, "a\n")
		write(t, l, "b\n")
		if list := files(t, l); len(list) != 4 || !slices.Contains(list, kept) || !slices.Contains(list, other) {
			t.Errorf("files %q; want %s and %s among four, %s gone", list, kept, other, gone)
		}
	})
}

// TestManyWriters: 20 goroutines log while files are put aside for their size,
// or renamed by somebody else, or both at once: every line is there, whole,
// once.
func TestManyWriters(t *testing.T) {
	t.Run("size", func(t *testing.T) { manyWriters(t, 16<<10, false) })
	t.Run("rename", func(t *testing.T) { manyWriters(t, -1, true) })
	t.Run("both", func(t *testing.T) { manyWriters(t, 2<<10, true) })
}

func manyWriters(t *testing.T, size int64, rename bool) {
	limits := never
	limits.Size = size
	l, failures := testLog(t, limits)
	s := NewSink(l, "text")
	const writers, lines = 20, 500
	due := make(chan struct{}) // a rename
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range lines {
				fmt.Fprintf(s, "writer %d line %d %s\n", w, i, strings.Repeat("x", i%50))
				if i%100 == 99 { // the file was put aside for its size before the first rename
					s.queue.Flush(10 * time.Second) // or it is written in one go
					if rename {
						due <- struct{}{}
					}
				}
			}
		})
	}
	var renamed sync.WaitGroup
	renamed.Go(func() {
		i := 0
		for range due {
			if os.Rename(l.path, fmt.Sprintf("%s.%d", l.path, i)) == nil { // what logrotate does
				if err := s.Reopen(); err != nil {
					t.Error(err)
				}
			}
			i++
		}
	})
	all.Wait()
	close(due)
	renamed.Wait()
	<-s.End()
	s.Close()
	count := map[string]int{}
	aside, moved := 0, 0
	for _, file := range files(t, l) {
		switch {
		case strings.Contains(file, "-size"):
			aside++
		case file != l.path:
			moved++
		}
		text := content(t, file)
		if !rename && len(text) > int(size) { // in the midst of a rotation a file may vanish, which is then tried later
			t.Errorf("%s has %d bytes", file, len(text))
		}
		if text != "" && !strings.HasSuffix(text, "\n") {
			t.Errorf("%s ends in the middle of a line: %q", file, text[max(0, len(text)-60):])
		}
		for sc := bufio.NewScanner(strings.NewReader(text)); sc.Scan(); {
			count[sc.Text()]++
		}
	}
	for w := range writers {
		for i := range lines {
			line := fmt.Sprintf("writer %d line %d %s", w, i, strings.Repeat("x", i%50))
			if n := count[line]; n != 1 {
				t.Errorf("%d times in the log: %q", n, line)
			}
			delete(count, line)
		}
	}
	for line := range count {
		t.Errorf("nobody wrote %q", line)
	}
	if dropped, why := s.Counted(); dropped != 0 || why != "" || !rename && failures.Load() != 0 {
		t.Errorf("%d lines dropped, %q, %d failures", dropped, why, failures.Load())
	}
	if size > 0 && aside == 0 || size > 0 && !rename && aside < 5 || rename && moved < 5 {
		t.Errorf("%d files were put aside and %d renamed: that was no test", aside, moved)
	}
}

// TestModesOfLogs: a new file has mode 0640, under any umask; a file that has
// another keeps it when it is put aside, but nobody else can write the next.
func TestModesOfLogs(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	limits := never
	limits.Size = 1
	l, _ := testLog(t, limits)
	mode := func(file string) os.FileMode {
		t.Helper()
		fi, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		return fi.Mode().Perm()
	}
	write(t, l, "a\n")
	if m := mode(l.path); m != 0o640 {
		t.Errorf("a new file has mode %v under umask 0", m)
	}
	write(t, l, "b\n")
	if list := files(t, l); mode(list[0]) != 0o640 || mode(list[1]) != 0o640 {
		t.Errorf("after a rotation the modes are %v and %v", mode(list[0]), mode(list[1]))
	}
	if err := os.Chmod(l.path, 0o606); err != nil {
		t.Fatal(err)
	}
	write(t, l, "c\n")
	if list := files(t, l); mode(list[1]) != 0o606 || mode(list[2]) != 0o604 {
		t.Errorf("after the rotation of a file of mode 0606 the modes are %v and %v", mode(list[1]), mode(list[2]))
	}
}

// TestUnsafePlaces: a directory in which somebody else could put a link where
// the new file will be is no place to rename files in; the log goes on in the
// file it has, and says why, once. A link in the file's place is not followed.
func TestUnsafePlaces(t *testing.T) {
	limits := never
	limits.Size = 1
	l, failures := testLog(t, limits)
	if err := os.Chmod(filepath.Dir(l.path), 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"a\n", "b\n", "c\n"} {
		l.mu.Lock()
		l.retry = time.Time{}
		l.mu.Unlock()
		write(t, l, text)
	}
	if list := files(t, l); len(list) != 1 || content(t, l.path) != "a\nb\nc\n" || failures.Load() != 1 {
		t.Errorf("files %q, content %q, told %d times; want one file and one word of it", list, content(t, l.path), failures.Load())
	}
	target := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "x.log")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if l, err := OpenFile(link, never, false, nil); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		if err == nil {
			l.Close()
		}
		t.Errorf("open %s, a link: %v; want to be refused", link, err)
	}
	if got := content(t, target); got != "precious" {
		t.Errorf("what it points at has %q", got)
	}
}

// TestFIFO: opening one without a reader does not wait, and is not the end of
// it: who comes later reads on.
func TestFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	limits := never
	limits.Size, limits.Age = 1, time.Nanosecond
	l, err := OpenFile(path, limits, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSink(l, "text")
	line := strings.Repeat("x", 1<<10-1) + "\n"
	const lines = 8 << 10 // more than the FIFO and the queue hold
	begin := time.Now()
	for range lines {
		io.WriteString(s, line)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("8 MiB took %v to be given to a log that nobody reads", took)
	}
	dropped, _ := s.Counted()
	if dropped == 0 {
		t.Fatal("nothing was dropped: that was no test")
	}
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	note := regexp.MustCompile(`log: (\d+) lines dropped`)
	read, told := int64(0), int64(0)
	for sc := bufio.NewScanner(r); read+told < lines && sc.Scan(); {
		if m := note.FindStringSubmatch(sc.Text()); m != nil {
			n, _ := strconv.ParseInt(m[1], 10, 64)
			told += n
			continue
		}
		if sc.Text()+"\n" != line {
			t.Fatalf("the FIFO has %.100q", sc.Text())
		}
		read++
	}
	if told != dropped || read+dropped != lines {
		t.Errorf("%d lines were read, %d dropped and %d of these told of, of %d", read, dropped, told, lines)
	}
	await(time.Second, s.End())
	s.Close()
}

// TestWhatIsThereCounts: the limits are those of what is in the file, whoever has
// written it, emptied it (copytruncate) or cut it.
func TestWhatIsThereCounts(t *testing.T) {
	limits := never
	limits.Size, limits.Age = 30, time.Hour
	line := "nine more\n"
	for name, test := range map[string]struct {
		change func(t *testing.T, l *File)
		files  int // after two more lines
	}{
		"nobody else": {func(t *testing.T, l *File) {}, 2},
		"emptied": {func(t *testing.T, l *File) {
			if err := os.Truncate(l.path, 0); err != nil {
				t.Fatal(err)
			}
			l.born = time.Now().Add(-limits.Age) // what was in it is old, and no longer there
		}, 1},
		"cut": {func(t *testing.T, l *File) {
			if err := os.Truncate(l.path, 10); err != nil {
				t.Fatal(err)
			}
		}, 1},
		"written by others": {func(t *testing.T, l *File) {
			f, err := os.OpenFile(l.path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			fmt.Fprint(f, line)
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := testLog(t, limits)
			write(t, l, line)
			write(t, l, line)
			test.change(t, l)
			write(t, l, line)
			write(t, l, line)
			if list := files(t, l); len(list) != test.files {
				t.Errorf("files %q, want %d", list, test.files)
			}
			for _, file := range files(t, l) {
				if text := content(t, file); len(text) > int(limits.Size) {
					t.Errorf("%s has %d bytes", file, len(text))
				}
			}
		})
	}
}
