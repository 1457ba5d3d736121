//go:build linux && !jaylate

package http1_test

const closesAtOnce = true
