package main

import (
	"fmt"
	"os"
	"os/user"
)

// serviceUser is whom the packaged service runs as, and with sudo whoever uses its
// station (deploy/flashd.service).
const serviceUser = "flashd"

// caller is the person who runs the command, for the record: behind sudo, who asked
// for it. Root and the service's user may be anybody.
func caller() (string, error) {
	name := fmt.Sprintf("user %d", os.Geteuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if person, known := personBehind(name, os.Getenv("SUDO_USER")); known {
		return person, nil
	}
	return "", withHint(exitUsage, fmt.Errorf("who asks for this is not known: %s may be anybody", name), "Add --by NAME, for the record.")
}

func personBehind(name, sudoUser string) (person string, known bool) {
	anybody := map[string]bool{"": true, "root": true, serviceUser: true}
	if anybody[name] {
		name = sudoUser
	}
	return name, !anybody[name]
}
