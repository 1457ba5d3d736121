package framing

import (
	"encoding/binary"
	"fmt"
)

// header is what the start of a frame says; the zero value says that more
// bytes are needed.
type header struct {
	size  int // of the header: the bytes before the rest
	frame int // of all
}

// header reads the header of the frame at the start of b.
func (f *LengthPrefixed) header(b []byte) (header, error) {
	if err := f.check(); err != nil {
		return header{}, err
	}
	if len(b) < f.Offset {
		return header{}, nil
	}
	announced, width, err := f.length(b[f.Offset:])
	if err != nil || width == 0 {
		return header{}, err
	}
	rest, err := f.rest(announced, width)
	if err != nil {
		return header{}, err
	}
	size := f.Offset + width
	return header{size, size + rest}, nil
}

// length reads the length at the start of b; a width of 0 means that more
// bytes are needed.
func (f *LengthPrefixed) length(b []byte) (announced uint64, width int, err error) {
	width = f.size()
	switch {
	case width == Varint:
		announced, width = binary.Uvarint(b)
		if width < 0 {
			return 0, 0, fmt.Errorf("%w: a varint of more than 64 bits", ErrLength)
		}
		return announced, width, nil
	case len(b) < width:
		return 0, 0, nil
	}
	for i := range width {
		at := i
		if f.Little {
			at = width - 1 - i
		}
		announced = announced<<8 | uint64(b[at])
	}
	return announced, width, nil
}

// rest returns how many bytes follow an announced length of this width.
func (f *LengthPrefixed) rest(announced uint64, width int) (int, error) {
	before := f.Offset + width
	longest := f.max()
	if announced > 1<<62 {
		return 0, fmt.Errorf("%w: a length of %d is announced, at most %d bytes are allowed", ErrTooLong, announced, longest)
	}
	rest := int64(announced) + int64(f.counted(width))
	switch {
	case rest < 0:
		return 0, fmt.Errorf("%w: %d is announced, which is less than the %d that are counted before the message",
			ErrLength, announced, -f.counted(width))
	case rest == 0 && !f.Empty:
		return 0, fmt.Errorf("%w: %d is announced, which leaves nothing for the message; LengthPrefixed.Empty allows it",
			ErrLength, announced)
	case rest > int64(longest)-int64(before):
		return 0, fmt.Errorf("%w: a frame of %d bytes is announced, at most %d are allowed",
			ErrTooLong, rest+int64(before), longest)
	}
	return int(rest), nil
}

// announce returns the length that announces a rest of so many bytes.
func (f *LengthPrefixed) announce(rest int) (announced uint64, width int, err error) {
	width = f.size()
	if width == Varint {
		width = f.varintWidth(rest)
	}
	length := int64(rest) - int64(f.counted(width))
	switch {
	case rest == 0 && !f.Empty:
		return 0, 0, fmt.Errorf("%w: an empty message; LengthPrefixed.Empty allows it", ErrLength)
	case f.Offset+width+rest > f.max():
		return 0, 0, fmt.Errorf("%w: a frame of %d bytes, at most %d are allowed", ErrTooLong, f.Offset+width+rest, f.max())
	case length < 0:
		return 0, 0, fmt.Errorf("%w: %d bytes and an Adjust of %d make a length of %d", ErrLength, rest, f.Adjust, length)
	case width < 8 && f.size() != Varint && length>>(8*width) != 0:
		return 0, 0, fmt.Errorf("%w: a length of %d does not fit into %d bytes", ErrTooLong, length, width)
	}
	return uint64(length), width, nil
}

// varintWidth returns the width of the varint that announces rest, which may
// have to count itself.
func (f *LengthPrefixed) varintWidth(rest int) int {
	for width := 1; ; width++ {
		length := int64(rest) - int64(f.counted(width))
		if length < 0 || length>>(7*width) == 0 {
			return width
		}
	}
}

func (f *LengthPrefixed) appendLength(dst []byte, announced uint64, width int) []byte {
	if f.size() == Varint {
		return binary.AppendUvarint(dst, announced)
	}
	for i := range width {
		shift := 8 * (width - 1 - i)
		if f.Little {
			shift = 8 * i
		}
		dst = append(dst, byte(announced>>shift))
	}
	return dst
}

// counted is what has to be added to a length of this width to get the number
// of bytes that follow it.
func (f *LengthPrefixed) counted(width int) int {
	if f.Inclusive {
		return f.Adjust - width
	}
	return f.Adjust
}

func (f *LengthPrefixed) size() int {
	if f.Size == 0 {
		return 4
	}
	return f.Size
}

func (f *LengthPrefixed) max() int { return limit(f.Max, 10<<20) }

// check finds fields that no frame can follow.
func (f *LengthPrefixed) check() error {
	const most = 1 << 20 // of Offset and Adjust
	switch {
	case f.Size < Varint || f.Size > 8:
		return fmt.Errorf("LengthPrefixed.Size is %d: a length has 1 to 8 bytes, or is framing.Varint", f.Size)
	case f.Offset < 0 || f.Offset > most:
		return fmt.Errorf("LengthPrefixed.Offset is %d: 0 to %d bytes can come before the length", f.Offset, most)
	case f.Adjust < -most || f.Adjust > most:
		return fmt.Errorf("LengthPrefixed.Adjust is %d: it can be %d to %d", f.Adjust, -most, most)
	}
	return nil
}
