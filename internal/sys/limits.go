package sys

// MaxIovecs is the most buffers one Writev takes.
const MaxIovecs = 64
