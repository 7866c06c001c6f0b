module hoptech.co.nz/flashd/internal/bench

go 1.26.0

require (
	hoptech.co.nz/flashd v0.0.0
	tinygo.org/x/espflasher v0.6.0
)

require (
	github.com/creack/goselect v0.1.2 // indirect
	github.com/creack/pty v1.1.24 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/tarm/serial v0.0.0-20180830185346-98f6abe2eb07 // indirect
	go.bug.st/serial v1.6.2 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace hoptech.co.nz/flashd => ../..
