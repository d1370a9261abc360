#!/bin/bash
# The library's interface in four places that must agree: what it exports, the
# linker's map, the header, and the symbols file of the Debian package.  A
# symbol that has been there may not go, and none comes in by accident.
set -u
cd "$(dirname "$0")/../.." || exit 1
lib=${BUILD:-build}/libctshard.so
[ -e "$lib" ] || { echo "there is no $lib"; exit 77; }
bad=0
differ() { # WHAT; the other list on stdin
	local d
	d=$(diff <(echo "$exported") <(sort -u)) && return
	echo "exported (<) and $1 (>):"
	echo "$d"
	bad=1
}

exported=$(nm -D --defined-only "$lib" |
	sed -n 's/.* [TDBR] \([a-z0-9_]*\).*/\1/p' | sort -u)
sed -n 's/^\t\([a-z0-9_]*\);.*/\1/p' proto/libctshard.map |
	differ proto/libctshard.map
sed -n 's/^ \([a-z][a-z0-9_]*\)@.*/\1/p' debian/libctshard0.symbols |
	differ debian/libctshard0.symbols
sed 's|/\*.*\*/||' proto/ctshard.h |
	grep -oE '\*?\bctshard_[a-z_]+\(' | tr -d '*(' |
	differ "the functions of proto/ctshard.h"
# all of them with a version, none without
if nm -D --with-symbol-versions --defined-only "$lib" |
	grep -E ' [TDBR] ' | grep -v '@@CTSHARD_[0-9]'; then
	echo "without a version"
	bad=1
fi
exit $bad
