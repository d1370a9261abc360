#!/bin/bash
# docs/ctshardd.conf has every key, commented, with its default: with the marks
# taken off it says nothing that is not so without a file.
set -u
cd "$(dirname "$0")/../.." || exit 1
daemon=${BUILD:-build}/ctshardd
[ -x "$daemon" ] || { echo "there is no $daemon"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

keys() { # FILE: what -T prints of it, the memory plan apart
	"$daemon" -T -f "$1" | sed '/^$/,$d'
}
"$daemon" -t -f docs/ctshardd.conf || exit 1
sed -n 's/^#\([a-z]\)/\1/p' docs/ctshardd.conf >"$work/all"
keys "$work/all" >"$work/got" || exit 1
keys /dev/null >"$work/want" || exit 1
diff "$work/want" "$work/got" || exit 1
sed -n 's/ =.*//p' "$work/want" >"$work/keys"
sed -n 's/^#\([a-z0-9_.-]*\) =.*/\1/p' docs/ctshardd.conf |
	diff "$work/keys" - || exit 1
