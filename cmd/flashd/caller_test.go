package main

import "testing"

// The record names people, not the user whom everybody becomes with sudo.
func TestPersonBehind(t *testing.T) {
	for _, tt := range []struct {
		user, sudo, want string
		known            bool
	}{
		{"ann", "", "ann", true},
		{"ann", "bob", "ann", true}, // of a shell that bob's sudo had begun as ann
		{"flashd", "ann", "ann", true},
		{"root", "ann", "ann", true},
		{"root", "", "", false},
		{"flashd", "", "", false},
		{"flashd", "root", "", false},
	} {
		got, known := personBehind(tt.user, tt.sudo)
		if known != tt.known || known && got != tt.want {
			t.Errorf("%q with SUDO_USER=%q: %q, %v; want %q, %v", tt.user, tt.sudo, got, known, tt.want, tt.known)
		}
	}
}
