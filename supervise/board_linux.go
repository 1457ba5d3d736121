package supervise

import (
	"sync/atomic"

	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/sys"
)

// openBoard is the master's board, of which it can write everything. The file
// gets its size, once for all.
func openBoard(fd int) (*board, error) {
	if err := sys.SizeMemfd(fd, cellOffset(fleet.MaxProcesses)); err != nil {
		return nil, err
	}
	all, err := sys.MapPart(fd, 0, cellOffset(fleet.MaxProcesses), true)
	if err != nil {
		return nil, err
	}
	return &board{
		directory: all.Word,
		words:     func(cell, i int) *atomic.Int64 { return all.Word(cellOffset(cell)/8 + i) },
	}, nil
}

// openCell is the board of a worker, which can write its own cell. The
// descriptor is closed: the worker can map no more of it.
func openCell(fd, own int) (*board, error) {
	defer sys.Close(fd)
	reader, err := sys.ReopenToRead(fd)
	if err != nil {
		return nil, err
	}
	defer sys.Close(reader)
	all, err := sys.MapPart(reader, 0, cellOffset(fleet.MaxProcesses), false)
	if err != nil {
		return nil, err
	}
	page, err := sys.MapPart(fd, cellOffset(own), cellOffset(own+1)-cellOffset(own), true)
	if err != nil {
		return nil, err
	}
	return &board{
		directory: all.Word,
		words: func(cell, i int) *atomic.Int64 {
			if cell == own {
				return page.Word(i)
			}
			return all.Word(cellOffset(cell)/8 + i)
		},
	}, nil
}
