#!/usr/bin/env bash
# Makes a folder of what deploy/Dockerfile's last stage holds, as far as the binary can tell: the binary, and of the Debian 13
# packages that gcr.io/distroless/cc-debian13 consists of the C library, libgcc and CA certificates; no shell. Prints where the
# libraries are from: Debian 13, or, where apt has none, this machine.
#
#   deploy/image-root.sh target/release/segmenta FOLDER
set -euo pipefail
binary="$(realpath "${1:?usage: deploy/image-root.sh BINARY FOLDER}")"
root="${2:?usage: deploy/image-root.sh BINARY FOLDER}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# The packages of Debian 13, from wherever this machine's own come from.
packages() {
    local apt="$work/apt" options
    mkdir -p "$apt"/{parts,state/lists/partial,cache/archives/partial,debs}
    cat /etc/apt/sources.list.d/*.sources 2>/dev/null | sed '/^Suites:/{s/[a-z]*-security/trixie-security/;t;s/:.*/: trixie/}' >"$apt/parts/trixie.sources"
    [ -s "$apt/parts/trixie.sources" ] || return 1
    options=(-qq -o Dir::State="$apt/state" -o Dir::Cache="$apt/cache" -o Dir::Etc::sourcelist=/dev/null
        -o Dir::Etc::sourceparts="$apt/parts" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update && (cd "$apt/debs" && apt-get "${options[@]}" download libc6 libgcc-s1 ca-certificates)
}

mkdir -p "$root"/{etc/ssl/certs,usr/local/bin,proc,dev,tmp}
if packages >"$work/apt.log" 2>&1; then
    base="Debian 13's own $(basename -a "$work"/apt/debs/libc6_*.deb | cut -d_ -f2)"
    # As the base image has them: /lib and /lib64 are links into /usr.
    mkdir -p "$root/usr/lib" "$root/usr/lib64"
    ln -s usr/lib "$root/lib"
    ln -s usr/lib64 "$root/lib64"
    for deb in "$work"/apt/debs/*.deb; do dpkg-deb --extract "$deb" "$root"; done
    cat "$root"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
    rm -rf "$root"/usr/sbin "$root"/usr/share
else
    base="this machine's"
    ldd "$binary" | grep -o '/[^ ]*' | while read -r library; do install -D "$library" "$root$library"; done
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
fi
install -m 755 "$binary" "$root/usr/local/bin/segmenta"
echo "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin" >"$root/etc/passwd"
echo "nonroot:x:65532:" >"$root/etc/group"
echo "hosts: files dns" >"$root/etc/nsswitch.conf"
cp /etc/hosts "$root/etc/hosts"
[ -z "$(find "$root" -name '*sh' -type f -perm /111)" ] || { echo "image-root: there is a shell in the image" >&2; exit 1; }
echo "$base"
