package main

import (
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// foreign reports whether a file is another user's, and not root's.
func foreign(info fs.FileInfo) bool {
	uid := ownerOf(info)
	return uid != os.Geteuid() && uid != 0
}

// ownerOf is the user ID of a file's owner.
func ownerOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

func ownerName(info fs.FileInfo) string { return userName(ownerOf(info)) }

// userName is the name of a user; where that has none, its number.
func userName(uid int) string {
	number := strconv.Itoa(uid)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return "user " + number
}

// askAs advises to look at the station as the user whom its files belong to.
func askAs(info fs.FileInfo) string {
	return "Ask as the station's user: sudo -u " + ownerName(info) + " flashd doctor."
}
