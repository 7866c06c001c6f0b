#!/bin/sh
# Brings Espressif's flasher stub to where go:embed finds it: installs the npm
# package pinned in package-lock.json, checks each image against SHA256SUMS and
# copies it beside this script. Running it again is harmless.
set -eu
cd "$(dirname "$0")"

command -v npm >/dev/null || {
	echo "fetch.sh: npm is missing; install it (Debian: apt-get install nodejs npm)" >&2
	exit 1
}
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2

from=node_modules/esptool-js/lib/targets/stub_flasher
(cd "$from" && sha256sum --check --quiet --strict -) <SHA256SUMS >&2
while read -r _ name; do
	cp "$from/$name" "$name"
done <SHA256SUMS
