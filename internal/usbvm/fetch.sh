#!/bin/sh
# Downloads Debian's kernel and udev into a cache folder and unpacks them there,
# and builds a foreign client beside them; installs nothing. Prints the folder.
# With all there it only prints.
# Usage: fetch.sh CACHE
set -eu
cache=$1

kernel() { apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: *\(linux-image-[^ ]*\)$/\1/p' | head -n 1; }
package=$(kernel)
if [ -z "$package" ]; then
	if [ "$(id -u)" -eq 0 ]; then apt-get update -qq; else sudo apt-get update -qq; fi
	package=$(kernel)
fi
[ -n "$package" ] || {
	echo "usbvm: apt knows no package linux-image-amd64; the test bed needs Debian's kernel" >&2
	exit 1
}

root=$cache/$package
if [ ! -e "$root/vmlinux" ]; then
	echo "Fetching $package and udev into $root" >&2
	rm -rf "$root"
	mkdir -p "$root/packages"
	(cd "$root/packages" && apt-get download -qq "$package" udev libkmod2 >&2)
	for deb in "$root"/packages/*.deb; do
		dpkg -x "$deb" "$root"
	done
	rm -r "$root/packages"
	# The ELF kernel starts twice as fast as the one that unpacks itself. Its
	# place in there: Documentation/arch/x86/boot.rst, setup_sects,
	# payload_offset and payload_length, of which the last four bytes tell the
	# unpacked size.
	image=$(echo "$root"/boot/vmlinuz-*)
	number() { od -An -t "u$2" -j "$1" -N "$2" "$image" | tr -d ' '; }
	start=$((($(number 497 1) + 1) * 512 + $(number 584 4)))
	length=$(($(number 588 4) - 4))
	tail -c "+$((start + 1))" "$image" | head -c "$length" | xz -dc >"$root/vmlinux.new"
	# Of 400 MB the tests need 70.
	rm -rf "$root/boot"
	find "$root/lib/modules" -name '*.ko' ! -path '*/drivers/usb/*' -delete
	mv "$root/vmlinux.new" "$root/vmlinux"
fi

# The version that the comparison of flashers has, and without cgo so that it
# needs no libraries.
(cd "$(dirname "$0")/../bench" && CGO_ENABLED=0 GOFLAGS='' go build -o "$root/bin/espflasher" tinygo.org/x/espflasher >&2)
echo "$root"
