// Package web shows a station to people and to machines: the status board, a
// read API, metrics and health over TCP, and the same with control over a unix
// socket in the state directory, which needs no password because only the
// station's own user may open it.
//
//	GET  /                      the board; also /units, /units/ID, /attempts, /reworks, /releases
//	GET  /api/v1/status         station.View
//	GET  /api/v1/slots          its slots only
//	GET  /api/v1/events         station.View whenever it changes, as server-sent events
//	GET  /api/v1/history        History: today, hour by hour, and why units fail; ?since=8h
//	GET  /api/v1/releases       the releases there are: an array of firmware.Summary with inUse
//	GET  /api/v1/units          all units: an array of jobs.Unit, in order of their IDs;
//	                            ?q= state= release= order=recent after= limit=
//	GET  /api/v1/units/{id}     one jobs.Unit
//	GET  /api/v1/attempts       an array of jobs.Attempt, newest first;
//	                            ?unit= slot= outcome= release= kind= phase= blame= open=true since= until= after= limit=
//	GET  /api/v1/units.csv, /api/v1/attempts.csv   the same as CSV
//	GET  /api/v1/reworks        an array of jobs.Rework, newest first; ?unit= state=armed after= limit=
//	POST /api/v1/rework         allows a unit to be provisioned again (ReworkRequest); over TCP with the token
//	POST /api/v1/reworks/{id}/cancel   disarms a rework: {"reason": ..., "by": ...}; over TCP with the token
//	GET  /api/v1/backup         the record, a bbolt file; on the socket only
//	GET  /api/v1/check          how a check of the record comes on, lines of JSON; on the socket only
//	POST /api/v1/archive        moves attempts begun before a time into archives: {"before": ...}; on the socket only
//	GET  /metrics               for Prometheus
//	GET  /healthz, /readyz      200 while the process lives; while the line takes units
//
// Lists with a limit have a Link header with the address of the next page. An
// answer that is not 2xx has the body {"error": ..., "hint": ...}: what is
// wrong, and what to do about it.
package web
