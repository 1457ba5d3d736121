package websocket

import (
	"errors"
	"strconv"

	"github.com/jay-go/jay"
)

// Error is a connection that cannot go on: Code is what the peer is told in
// the Close frame, Reason what was wrong and what would be right.
type Error struct {
	Code   Code
	Reason string
}

// Unwrap returns jay.ErrBudget where that is the reason.
func (e *Error) Unwrap() error {
	if e == errBudget {
		return jay.ErrBudget
	}
	return nil
}

func (e *Error) Error() string {
	return "websocket: " + strconv.Itoa(int(e.Code)) + " " + e.Code.String() + ": " + e.Reason
}

// Blames returns whose fault it is: the peer's, unless Code says that something went
// wrong here, or that there is too much to do.
func (e *Error) Blames() jay.Fault {
	switch e.Code {
	case CloseInternal:
		return jay.ProgramFault
	case CloseTryAgain:
		return jay.SystemFault
	}
	return jay.PeerFault
}

// Why a call failed.
var (
	// ErrInvalidText: a text message is not UTF-8.
	ErrInvalidText = errors.New("send text: it is not valid UTF-8; send it as binary")
	// ErrUnfinished: SendPart has begun a message and not ended it.
	ErrUnfinished = errors.New("send: a message begun by SendPart has to be ended first")
	// ErrControlTooLong: a ping or pong of more than 125 bytes.
	ErrControlTooLong = errors.New("send ping or pong: more than 125 bytes")
)

// What a peer can do wrong. They are values, not made anew, because a flood
// of bad frames must not allocate.
var (
	errReservedOpcode  = &Error{CloseProtocol, "a reserved opcode"}
	errReservedBits    = &Error{CloseProtocol, "a reserved bit is set"}
	errCompressed      = &Error{CloseProtocol, "RSV1 is allowed on the first frame of a message alone, and only when compression was negotiated"}
	errUnmasked        = &Error{CloseProtocol, "a frame of a client must be masked"}
	errLengthForm      = &Error{CloseProtocol, "a payload length must take the shortest form"}
	errLengthSign      = &Error{CloseProtocol, "the top bit of a 64-bit payload length must be 0"}
	errControlLength   = &Error{CloseProtocol, "the payload of a control frame has at most 125 bytes"}
	errControlFragment = &Error{CloseProtocol, "a control frame must not be fragmented"}
	errNoMessage       = &Error{CloseProtocol, "a continuation frame without a message to continue"}
	errInterleaved     = &Error{CloseProtocol, "a new message before the last fragment of the present one"}
	errText            = &Error{CloseInvalidData, "text that is not UTF-8"}
	errMessageTooBig   = &Error{CloseTooBig, "the message is larger than allowed here"}
	errFrameTooBig     = &Error{CloseTooBig, "the frame is larger than allowed here"}
	errFragments       = &Error{ClosePolicy, "the message has more fragments than allowed here"}
	errControlRate     = &Error{ClosePolicy, "more control frames a second than allowed here"}
	errCloseLength     = &Error{CloseProtocol, "a Close payload of one byte: a code has two"}
	errCloseCode       = &Error{CloseProtocol, "a close code that must not be sent"}
	errCloseReason     = &Error{CloseInvalidData, "a close reason that is not UTF-8"}
	errDeflate         = &Error{CloseInvalidData, "a compressed message that cannot be inflated"}
	errNoPong          = &Error{CloseAbnormal, "nothing came within PongTimeout of a ping"}
	errBudget          = &Error{CloseTryAgain, "the server holds as much as it may at present"}
	errPanic           = &Error{CloseInternal, "the handler failed"}
)
