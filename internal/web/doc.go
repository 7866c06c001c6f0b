// Package web shows a station to people and to machines: the status board, a
// read API, metrics and health over TCP, and the same with control over a unix
// socket in the state directory, which needs no password because only the
// station's own user may open it.
//
//	GET  /                      the board
//	GET  /api/v1/status         station.View
//	GET  /api/v1/slots          its slots only
//	GET  /api/v1/events         station.View whenever it changes, as server-sent events
//	GET  /api/v1/units          all units: an array of jobs.Unit, in order of their IDs
//	GET  /api/v1/units/{id}     one jobs.Unit
//	GET  /api/v1/attempts       an array of jobs.Attempt, newest first;
//	                            ?unit= slot= outcome= release= kind= phase= blame= open=true since= until= limit=
//	GET  /api/v1/reworks        an array of jobs.Rework; ?unit= open=true for those that are armed
//	POST /api/v1/rework         allows a unit to be provisioned again (ReworkRequest); on the socket only
//	POST /api/v1/reworks/{id}/cancel   disarms a rework: {"reason": ..., "by": ...}; on the socket only
//	GET  /api/v1/backup         the record, a bbolt file; on the socket only
//	GET  /api/v1/check          how a check of the record comes on, lines of JSON; on the socket only
//	POST /api/v1/archive        moves attempts begun before a time into archives: {"before": ...}; on the socket only
//	GET  /metrics               for Prometheus
//	GET  /healthz, /readyz      200 while the process lives; while the line takes units
//
// An answer that is not 2xx has the body {"error": ..., "hint": ...}: what is
// wrong, and what to do about it.
package web
