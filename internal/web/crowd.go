package web

import (
	"net/http"
	"net/netip"
	"sync"
)

// A crowd limits how many are there at the same time.
type crowd struct {
	each, all int // of one client, and of all of them

	mu      sync.Mutex
	there   int
	clients map[netip.Prefix]int
}

func newCrowd(each, all int) *crowd {
	return &crowd{each: each, all: all, clients: map[netip.Prefix]int{}}
}

// enter takes a place, for which leave must be called, or reports that there is none.
func (c *crowd) enter(client netip.Prefix) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.there == c.all || c.clients[client] == c.each {
		return false
	}
	c.there++
	c.clients[client]++
	return true
}

func (c *crowd) leave(client netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.there--
	if c.clients[client]--; c.clients[client] == 0 {
		delete(c.clients, client)
	}
}

// admit answers only as many requests at the same time as c has places for.
func (c *crowd) admit(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		client := clientOf(r.RemoteAddr)
		if !c.enter(client) {
			w.Header().Set("Retry-After", "10") // seconds
			fail(w, http.StatusServiceUnavailable, "the station is busy with too many such requests already", "Close a board or end a download that nobody looks at.")
			return
		}
		defer c.leave(client)
		next(w, r)
	}
}
