//go:build linux

#include "textflag.h"

// func noteSignalEntry() uintptr
TEXT ·noteSignalEntry(SB), NOSPLIT, $0-8
	MOVD $noteSignal<>(SB), R0
	MOVD R0, ret+0(FP)
	RET

// noteSignal is entered by the kernel, with the signal's number in R0, on any
// thread and any stack. It needs neither.
TEXT noteSignal<>(SB), NOSPLIT|NOFRAME, $0
	MOVD ·noted(SB), R1
	MOVD $1, R2
	LSL  R0, R2, R2
again:
	LDAXR (R1), R3
	ORR   R2, R3, R3
	STLXR R3, (R1), R4
	CBNZ  R4, again
	RET
