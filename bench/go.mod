module github.com/jay-go/jay/bench

go 1.26.0

require (
	github.com/coder/websocket v1.8.15
	github.com/jay-go/jay v0.0.0
	github.com/lxzan/gws v1.8.9
	github.com/valyala/fasthttp v1.77.0
	golang.org/x/sys v0.49.0
)

require (
	github.com/DeRuina/timberjack v1.4.9 // indirect
	github.com/coreos/go-systemd/v22 v22.7.0 // indirect
	github.com/dolthub/maphash v0.1.0 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/molecule-man/go-brrr v1.3.0 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
)

replace github.com/jay-go/jay => ../
