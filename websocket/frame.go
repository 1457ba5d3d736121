package websocket

import "encoding/binary"

// opcode is what a frame carries (RFC 6455 section 5.2).
type opcode uint8

const (
	opContinuation opcode = 0
	opText         opcode = 1
	opBinary       opcode = 2
	opClose        opcode = 8
	opPing         opcode = 9
	opPong         opcode = 10
)

func (op opcode) control() bool { return op >= opClose }

// Bits of a frame's first and second byte.
const (
	bitFin  = 0x80
	bitRSV1 = 0x40 // on the first frame: the message is compressed
	bitRSVs = 0x70
	bitMask = 0x80
)

const (
	maxControl = 125 // bytes of payload of a control frame
	maxHeader  = 14  // bytes of a masked frame's header
)

// header is a parsed frame header.
type header struct {
	length int64
	key    uint32 // as the mask's bytes lie in memory, little-endian
	op     opcode
	fin    bool
	rsv1   bool
}

// parseHeader reads the header of a client's frame at the start of b and
// returns its length n, 0 when more bytes are needed. What is wrong is said as
// soon as the bytes are there that show it.
func parseHeader(b []byte) (h header, n int, err error) {
	if len(b) < 2 {
		return h, 0, nil
	}
	h = header{length: int64(b[1] &^ bitMask), op: opcode(b[0] & 15), fin: b[0]&bitFin != 0, rsv1: b[0]&bitRSV1 != 0}
	switch {
	case b[0]&(bitRSVs&^bitRSV1) != 0:
		return h, 0, errReservedBits
	case h.op > opPong || h.op > opBinary && h.op < opClose:
		return h, 0, errReservedOpcode
	case b[1]&bitMask == 0:
		return h, 0, errUnmasked
	case h.op.control() && h.length > maxControl:
		return h, 0, errControlLength
	case h.op.control() && !h.fin:
		return h, 0, errControlFragment
	}
	n = 2
	switch h.length {
	case 126:
		n = 4
	case 127:
		n = 10
	}
	if len(b) < n {
		return h, 0, nil
	}
	if h.length, err = extendedLength(h.length, b[2:n]); err != nil || len(b) < n+4 {
		return h, 0, err
	}
	h.key = binary.LittleEndian.Uint32(b[n:])
	return h, n + 4, nil
}

func extendedLength(short int64, b []byte) (int64, error) {
	switch len(b) {
	case 2:
		short = int64(binary.BigEndian.Uint16(b))
		if short < 126 {
			return 0, errLengthForm
		}
	case 8:
		long := binary.BigEndian.Uint64(b)
		if long>>63 != 0 {
			return 0, errLengthSign
		}
		if long < 1<<16 {
			return 0, errLengthForm
		}
		short = int64(long)
	}
	return short, nil
}

// appendHeader appends the header of a server's frame: first is the opcode
// with its bits, n the length of the payload.
func appendHeader(dst []byte, first byte, n int) []byte {
	switch {
	case n < 126:
		return append(dst, first, byte(n))
	case n < 1<<16:
		return append(dst, first, 126, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(n))
}
