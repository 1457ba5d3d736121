// Package late says whether this is a build with the tag jaylate, in which the
// backends of package loop complete late: its tests then see what a backend of
// completions may do. Tests ask that count what one send takes, or costs.
package late
