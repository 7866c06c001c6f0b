package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
)

// inWords is what an error says, without the system calls that Go names: people
// know files and addresses.
func inWords(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		text = strings.Replace(text, e.Error(), e.Path+": "+e.Err.Error(), 1)
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		text = strings.Replace(text, e.Error(), e.New+": "+e.Err.Error(), 1)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		text = strings.Replace(text, e.Error(), netWords(e), 1)
	}
	return text
}

// netWords leaves out the name of a control socket, which stands for a folder
// that the error names already.
func netWords(e *net.OpError) string {
	cause := e.Err
	if call, ok := errors.AsType[*os.SyscallError](cause); ok {
		cause = call.Err
	}
	if e.Addr == nil || e.Net == "unix" {
		return cause.Error()
	}
	return e.Addr.String() + ": " + cause.Error()
}
