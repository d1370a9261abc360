#!/bin/bash
# Each header compiles alone, with all warnings: nobody depends on an order.
set -u
cd "$(dirname "$0")/../.." || exit 1
cc=${CC:-gcc}
bad=0 n=0

# An X-macro list (a plural beside its contract) is included by that contract
# only and has nothing to compile alone; it says so by having no guard.
for h in shm/*.h proto/*.h daemon/*.h daemon/*/*.h cli/*.h tests/lib/*.h; do
	[ -e "$h" ] || continue
	grep -q '^#ifndef\|^#pragma once' "$h" || continue
	n=$((n + 1))
	printf '#include "%s"\n' "$h" |
		$cc -std=gnu11 -D_GNU_SOURCE= -DVERSION='""' -Wall -Wextra \
			-Wshadow -Wcast-qual -Wstrict-prototypes \
			-Wmissing-prototypes -Wpointer-arith -Wsign-compare \
			-Werror -I. -Ibuild -fsyntax-only -x c - || {
		echo "$h does not compile alone"
		bad=1
	}
done
echo "$n headers"
[ $n -gt 0 ] && exit $bad
