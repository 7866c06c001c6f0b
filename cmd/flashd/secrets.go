package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"hoptech.co.nz/flashd/internal/config"
)

// serviceSecrets is where the service finds its copies of the secrets that systemd
// passes to it.
const serviceSecrets = "/run/credentials/flashd.service/"

// credstores are the folders in which systemd looks for what LoadCredential= in
// flashd.service names: NAME comes from flashd.NAME.
var credstores = []string{"etc/credstore", "run/credstore", "usr/lib/credstore"}

// secretFiles are the files that may hold the secrets which cfg names, and that
// others could reach.
func secretFiles(cfg *config.Config, root string) (files []string) {
	named := []string{cfg.API.TokenFile, cfg.API.KeyFile}
	switch cfg.Credentials.Source {
	case config.FromServer:
		named = append(named, cfg.Credentials.Server.TokenFile)
	case config.FromDerive:
		named = append(named, cfg.Credentials.Derive.SaltFile)
	case config.FromCSV:
		named = append(named, cfg.Credentials.CSV.File)
	}
	for _, path := range named {
		name, passed := strings.CutPrefix(path, serviceSecrets)
		switch {
		case path == "":
		case passed:
			for _, folder := range credstores {
				if folder = filepath.Join(root, folder); !private(folder) {
					files = append(files, filepath.Join(folder, "flashd."+name))
				}
			}
		default:
			files = append(files, path)
		}
	}
	return files
}

// openSecrets says which of the files others than their owner can use. What this
// user cannot see, such as in a folder of root's own, nobody else can either.
func openSecrets(files []string) (open []string) {
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 == 0 {
			continue
		}
		open = append(open, fmt.Sprintf("%s holds a secret, and others than its owner may use it (mode %04o): chmod 600 %[1]s", path, info.Mode().Perm()))
	}
	return open
}

// private reports whether only its owner can look into a folder, so that it does
// not matter how open the files in it are.
func private(folder string) bool {
	info, err := os.Stat(folder)
	return err == nil && info.Mode().Perm()&0o077 == 0
}

// checkSecrets looks at the secrets where they are kept: of what systemd passes to
// the service, the copy is private however open its source is.
func checkSecrets(_ context.Context, p *patient) finding {
	if open := openSecrets(secretFiles(p.Config, p.root)); len(open) > 0 {
		return wrong("Whoever has read it may have kept it: think of a new one.", "%s", strings.Join(open, "\n"))
	}
	return fine("no file with one can be read by others")
}
