#!/bin/bash
# The library's interface in five places that must agree: what it exports, the
# linker's map, the header, its manual, and the symbols file of the Debian package.  A
# symbol that has been there may not go, and none comes in by accident.
# Then its types and constants against those on record in tests/check/abi,
# under its SONAME.  Who changes them says so:
#
#	tests/check/abi.sh --record
#
# which refuses, once there is a release, what a program built before would not
# survive: that needs another SONAME.
set -u
cd "$(dirname "$0")/../.." || exit 1
lib=${BUILD:-build}/libctshard.so
[ -e "$lib" ] || { echo "there is no $lib"; exit 77; }
bad=0
fault() {
	echo "$*"
	bad=1
}
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
sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESC/s/^\.F[no] \(ctshard_[a-z_]*\).*/\1/p' \
	docs/libctshard.3 | differ "the synopsis of docs/libctshard.3"
# and each is spoken of
while read -r name; do
	sed '1,/^\.Sh DESC/d' docs/libctshard.3 | grep -qw "$name" ||
		{ echo "docs/libctshard.3 does not say what $name does"; bad=1; }
done <<<"$exported"
# the errors of header and manual
diff <(sed -n '/define CTSHARD_ERRORS/,/^$/s/^\tX(\(E[A-Z]*\),.*/\1/p' \
	proto/ctshard.h) <(sed -n 's/^\.It Dv CTSHARD_\(E[A-Z]*\)$/\1/p' \
	docs/libctshard.3) || { echo "errors: header (<) and manual (>)"; bad=1; }
# all of them with a version, none without
if nm -D --with-symbol-versions --defined-only "$lib" |
	grep -E ' [TDBR] ' | grep -v '@@CTSHARD_[0-9]'; then
	fault "without a version"
fi

# -- types and constants against the record ----------------------------------------
soname=$(objdump -p "$lib" | awk '$1 == "SONAME" { print $2 }')
record=tests/check/abi/$soname
new=$(mktemp -d) || exit 1
trap 'rm -rf "$new"' EXIT

# Each constant of the header, and what it is: those of no function's types
# stand nowhere else.
constants() {
	local names n
	names=$({
		gcc -E -dM proto/ctshard.h |
			sed -n 's/^#define \(CTSHARD_[A-Z0-9_]*\) .*/\1/p'
		gcc -E -P proto/ctshard.h |
			awk '/enum [a-z_]* *\{/ { on = 1 } on; /\}/ { on = 0 }' |
			grep -oE '\bCTSHARD_[A-Za-z0-9_]+'
	} | sort -u)
	{
		cat <<-'END'
			#include <stdio.h>
			#include "proto/ctshard.h"
			#define N(x) printf("%s %lld\n", #x, (long long)(x))
			#define T(x) printf("%s %s\n", #x, x)
			int main(void) {
		END
		for n in $names; do
			case $n in
			CTSHARD_RUNDIR | CTSHARD_GROUP) echo "T($n);" ;;
			*) echo "N($n);" ;;
			esac
		done
		echo 'return 0; }'
	} >"$new/c.c"
	gcc -I. -o "$new/c" "$new/c.c" && "$new/c"
}
constants >"$new/constants" || fault "the header's constants"

# what is behind the handle is nobody's business
printf '[suppress_type]\n  name = ctshard\n' >"$new/private"
types() {
	abidw --no-corpus-path --no-comp-dir-path --no-show-locs \
		--no-elf-needed --exported-interfaces-only \
		--type-id-style hash "$lib"
}
abi=
if command -v abidiff >/dev/null; then
	abi=1
else
	echo "there is no abidiff (abigail-tools): types were not compared"
fi

# 0 the same, 1 more, 2 not what programs know; says what
compare() {
	local rc=0 gone
	if ! cmp -s "$record.constants" "$new/constants"; then
		gone=$(comm -23 <(sort "$record.constants") <(sort "$new/constants"))
		rc=$((1 + (${#gone} > 0)))
		diff "$record.constants" "$new/constants"
	fi
	[ -n "$abi" ] || return $rc
	abidiff --suppressions "$new/private" "$record.abi" "$lib" >"$new/diff"
	case $? in
	0) return $rc ;;
	esac
	cat "$new/diff"
	# functions that came in are all there is
	if abidiff --no-added-syms --suppressions "$new/private" \
		"$record.abi" "$lib" >/dev/null; then
		return $((rc > 1 ? rc : 1))
	fi
	return 2
}

released() {
	grep '^ctshardd (' debian/changelog | grep -qv ' UNRELEASED;'
}

if [ "${1-}" = --record ]; then
	[ -n "$abi" ] || exit 1
	if released && [ -e "$record.abi" ]; then
		compare
		[ $? -lt 2 ] || { echo "this needs another SONAME than $soname"; exit 1; }
	fi
	mkdir -p tests/check/abi
	types >"$record.abi" && cp "$new/constants" "$record.constants"
	exit
fi
if [ ! -s "$record.abi" ]; then
	fault "no $record.abi: tests/check/abi.sh --record"
else
	compare
	case $? in
	1) fault "the interface has grown: tests/check/abi.sh --record" ;;
	2) fault "the interface is another: a new SONAME, or --record before the first release" ;;
	esac
fi
exit $bad
