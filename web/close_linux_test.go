//go:build linux && !jaylate

package web_test

const closesAtOnce = true
