package serialport

// Commands of a client, RFC 2217 section 3; a server answers each with the
// command plus 100 and the value that is now in force.
const (
	comBaud     = 1
	comDataSize = 2
	comParity   = 3
	comStopSize = 4
	comControl  = 5

	comAnswer = 100
)

// Values of comControl.
const (
	noFlowControl = 1
	dtrOn         = 8
	dtrOff        = 9
	rtsOn         = 11
	rtsOff        = 12
)

// answer is one reply: the command it answers and the value in force.
type answer struct {
	command byte
	value   uint32
}

// subnegotiation appends a COM-PORT-OPTION command to dst.
func subnegotiation(dst []byte, command byte, value ...byte) []byte {
	dst = append(dst, tnIAC, tnSB, optComPort, command)
	dst = telnetEscape(dst, value)
	return append(dst, tnIAC, tnSE)
}
