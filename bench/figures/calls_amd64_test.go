package main

import "testing"

func TestKindOf(t *testing.T) {
	for _, tt := range []struct {
		name string
		code [3]byte
		want instruction
	}{
		{"call rel32", [3]byte{0xe8, 0x10, 0x00}, call},
		{"call rax", [3]byte{0xff, 0xd0, 0x90}, call},
		{"call [rdx]", [3]byte{0xff, 0x12, 0x90}, call},
		{"call r11", [3]byte{0x41, 0xff, 0xd3}, call},
		{"jmp rax", [3]byte{0xff, 0xe0, 0x90}, other},
		{"push [rax]", [3]byte{0xff, 0x30, 0x90}, other},
		{"inc r11", [3]byte{0x49, 0xff, 0xc3}, other},
		{"ret", [3]byte{0xc3, 0xe8, 0xe8}, other},
		{"syscall", [3]byte{0x0f, 0x05, 0x48}, systemCall},
		{"cpuid", [3]byte{0x0f, 0xa2, 0x48}, other},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := kindOf(tt.code); got != tt.want {
				t.Errorf("% x is taken for %d, want %d", tt.code, got, tt.want)
			}
		})
	}
}
