#!/bin/bash
# The configuration that is installed has every key, commented, with its
# default: with the marks taken off it says nothing that is not so without.
set -u
cd "$(dirname "$0")/../.." || exit 1
daemon=${BUILD:-build}/ctshardd
[ -x "$daemon" ] || { echo "there is no $daemon"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

keys() { # FILE: what -T prints of it, the memory plan apart
	"$daemon" -T -f "$1" | sed '/^$/,$d'
}
docs/sample.py "$daemon" docs/ctshardd.conf.5 >"$work/conf" || exit 1
"$daemon" -t -f "$work/conf" || exit 1
sed -n 's/^#\([a-z]\)/\1/p' "$work/conf" >"$work/all"
keys "$work/all" >"$work/got" || exit 1
keys /dev/null >"$work/want" || exit 1
diff "$work/want" "$work/got" || exit 1
sed -n 's/ =.*//p' "$work/want" >"$work/keys"
sed -n 's/^#\([a-z0-9_.-]*\) =.*/\1/p' "$work/conf" |
	diff "$work/keys" - || exit 1
# most have a sentence, too
[ "$(grep -c '^# ' "$work/conf")" -ge $(($(wc -l <"$work/keys") / 2)) ]
