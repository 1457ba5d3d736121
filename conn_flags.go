package jay

// flags are facts about a connection that its state does not tell. There are 26.
type flags uint32

const (
	// What has happened.
	flagEOF       flags = 1 << iota // the peer has finished sending
	flagFin                         // CloseWrite was called
	flagGone                        // GoneHandler was told
	flagConnected                   // OnConnect was called, so OnClose will be
	flagPanicked                    // a callback has panicked

	// What was set.
	flagPaused // PauseRead
	flagDuplex // being full does not stop the reading
	flagAtOnce // CloseAtOnce, and the peer has kept its word

	// What is so for the moment.
	flagFull     // the output was above the high-water mark, and not below the low one since
	flagStopped  // reading is stopped, and Paused counts
	flagBlocked  // the kernel takes nothing from here: the Pipe's other end has no room
	flagSpliced  // the kernel carries what comes from the Pipe's other end to here
	flagData     // Handler.Data is running
	flagReplaced // and SetHandler was called meanwhile
	flagMail     // what a Ref has accepted is being written

	// What is due at the turn's end.
	flagListed     // the connection is in the list of those to settle
	flagLayerDue   // the layer has to be asked again
	flagFullDue    // OnBufferFull has to be called
	flagDrainDue   // OnBufferDrain has to be called
	flagDataDue    // unused bytes have to be delivered again
	flagDrainTell  // the handler has to be told of the worker's drain
	flagEOFDue     // the handler has to be told of flagEOF
	flagFinDue     // FIN has to be sent, behind the output
	flagOutcomeDue // the func of Detach has to be called, with the connection or without

	// What is known elsewhere, and asked for each time that something is sent.
	flagPiped // the handler is the end of a Pipe
	flagFiles // output waits behind a file: Worker.behind

	// flagsSettle are those that ask for more at the turn's end than to send.
	flagsSettle = flagLayerDue | flagFullDue | flagDrainDue | flagDataDue | flagDrainTell | flagEOFDue | flagOutcomeDue | flagPiped | flagFiles
)

func (c *Conn) has(f flags) bool { return c.flags&f != 0 }

// take clears f and reports whether it was set.
func (c *Conn) take(f flags) bool {
	was := c.flags&f != 0
	c.flags &^= f
	return was
}
