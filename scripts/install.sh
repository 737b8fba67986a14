#!/bin/sh
# Installs the command shadegrad from its release archive, after a check of its checksum.
#
#   curl -LsSf https://github.com/shadegrad/shadegrad/releases/latest/download/install.sh | sh
#
# SHADEGRAD_BIN        folder of the command, by default ~/.local/bin
# SHADEGRAD_VERSION    version, by default the one of this script
# SHADEGRAD_RELEASES   address above the version's folder, for mirrors
set -eu

version="${SHADEGRAD_VERSION:-0.1.0}"
releases="${SHADEGRAD_RELEASES:-https://github.com/shadegrad/shadegrad/releases/download}"
bin="${SHADEGRAD_BIN:-$HOME/.local/bin}"

fail() {
    echo "install: $1" >&2
    exit 1
}

case "$(uname -s)-$(uname -m)" in
Linux-x86_64) target=x86_64-unknown-linux-gnu ;;
Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-gnu ;;
Darwin-arm64) target=aarch64-apple-darwin ;;
Darwin-x86_64) target=x86_64-apple-darwin ;;
*) fail "there is no archive for $(uname -s) on $(uname -m); build it with: cargo install --locked shadegrad" ;;
esac
if [ "$(uname -s)" = Linux ] && ldd --version 2>&1 | grep -qi musl; then
    fail "this system has musl instead of glibc; install the wheel: pip install shadegrad"
fi

name="shadegrad-$version-$target"
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

fetch() { # NAME
    if command -v curl >/dev/null; then
        curl -LsSf "$releases/v$version/$1" -o "$place/$1"
    elif command -v wget >/dev/null; then
        wget -q "$releases/v$version/$1" -O "$place/$1"
    else
        fail "curl or wget is needed"
    fi || fail "$releases/v$version/$1 cannot be fetched"
}

fetch "$name.tar.gz"
fetch "$name.tar.gz.sha256"
(cd "$place" && { sha256sum -c "$name.tar.gz.sha256" 2>/dev/null || shasum -a 256 -c "$name.tar.gz.sha256"; } >/dev/null) ||
    fail "the archive does not have its checksum: it is damaged, or was changed on its way; nothing was installed"
tar -C "$place" -xzf "$place/$name.tar.gz"
mkdir -p "$bin"
# A new file under the old name, so that a running shadegrad keeps its own.
cp "$place/$name/shadegrad" "$bin/.shadegrad-new"
chmod 755 "$bin/.shadegrad-new"
mv -f "$bin/.shadegrad-new" "$bin/shadegrad"
echo "installed: $bin/shadegrad ($("$bin/shadegrad" --version))"
case ":$PATH:" in
*":$bin:"*) ;;
*) echo "note: $bin is not on the path; add it: export PATH=\"$bin:\$PATH\"" ;;
esac
