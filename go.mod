module github.com/jay-go/jay

go 1.26.0

require (
	github.com/DeRuina/timberjack v1.4.9
	github.com/coreos/go-systemd/v22 v22.7.0
	github.com/klauspost/compress v1.20.3
	golang.org/x/sys v0.49.0
)
