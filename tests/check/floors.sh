#!/bin/bash
# A file may include headers of its own room and of those that docs/floors
# names on its line; a line of docs/floors may name only rooms above it.
set -u
cd "$(dirname "$0")/../.." || exit 1

rooms=$(awk '!/^#/ && NF { print $1 }' docs/floors)
for r in $rooms; do
	for f in "$r"/*.[ch]; do
		[ -e "$f" ] && grep -nH '^[[:space:]]*#[[:space:]]*include "' "$f"
	done
done | awk '
function room(path) { sub(/\/[^\/]*$/, "", path); return path }
function fault(text) { print text; bad = 1 }
NR == FNR {
	if (/^#/ || !NF)
		next
	known[$1] = 1
	may[$1, $1] = 1
	for (i = 2; i <= NF; i++) {
		if (!($i in known) || $i == $1)
			fault("docs/floors: " $1 " names " $i \
			      ", which does not stand above it")
		may[$1, $i] = 1
	}
	next
}
{
	split($0, at, ":")
	split($0, q, "\"")
	from = room(at[1])
	to = index(q[2], "/") ? room(q[2]) : from
	n++
	if (!index(q[2], "/"))
		fault(at[1] ":" at[2] ": \"" q[2] \
		      "\" is not named from the root")
	else if (!((from, to) in may))
		fault(at[1] ":" at[2] ": " from " may not include \"" \
		      q[2] "\"")
}
END {
	printf "%d includes\n", n
	exit bad
}' docs/floors -
