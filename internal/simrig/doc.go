// Package simrig is a fixture full of simulated gateways and the operator who
// tends it: it plugs units into slots, and when the board says that one is
// done takes it out and puts in the next. Now and then it takes one that is done for
// one that is not.
//
// The units are kept in a directory, each with the flash that it had, so that
// a daemon that died finds the same units in the same slots when it starts
// again, as on a real bench.
package simrig
