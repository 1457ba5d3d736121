//go:build !amd64

package main

// callFigures: there are none, for instructions are known by their bytes.
var callFigures []figure
