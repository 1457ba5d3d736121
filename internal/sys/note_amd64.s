//go:build linux

#include "textflag.h"

// func noteSignalEntry() uintptr
TEXT ·noteSignalEntry(SB), NOSPLIT, $0-8
	LEAQ noteSignal<>(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// noteSignal is entered by the kernel, with the signal's number in DI, on any
// thread and any stack. It needs neither.
TEXT noteSignal<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ ·noted(SB), AX
	LOCK
	BTSQ DI, (AX)
	RET
