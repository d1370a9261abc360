#!/bin/bash
# The manual and the programs name the same things, both ways: verbs, options
# and columns of ctctl, requests, event types and errors of the protocol, exit
# codes, counters.  (Keys: docs.sh.)
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
ctl=$BUILD/ctctl
[ -x "$ctl" ] || { echo "there is no $ctl"; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0
fault() {
	echo "$*"
	bad=1
}
same() { # WHAT IN-PROGRAM IN-MANUAL: two sorted lists
	local w
	for w in $(comm -23 "$2" "$3"); do fault "no manual has the $1 $w"; done
	for w in $(comm -13 "$2" "$3"); do fault "only a manual has the $1 $w"; done
}
section() { # PAGE SECTION
	awk -v want="$2" '/^\.Sh / { on = substr($0, 5) == want; next } on' "$1"
}

# -- verbs
"$ctl" help 2>&1 | sed -n 's/^  \([a-z]*\) .*/\1/p' | sort -u >"$work/verbs"
section docs/ctctl.8 VERBS | sed -n 's/^\.It Cm \([a-z]*\).*/\1/p' |
	sort -u >"$work/manual"
[ -s "$work/verbs" ] || fault "ctctl help names no verb"
same verb "$work/verbs" "$work/manual"

# -- options: the manual has one by its long name or by its letter
text=$(mandoc -T utf8 -O width=200 docs/ctctl.8 2>/dev/null | col -b)
while read -r verb; do
	while read -r letter long; do
		grep -qE -- "(^|[^a-z-])--${long}([^a-z-]|\$)" <<<"$text" ||
			{ [ "$letter" != . ] &&
				grep -qE -- "(^|[^a-z-])-${letter}([^a-z-]|\$)|-[a-z], .*\b${letter}\b" \
					<<<"$text"; } ||
			fault "ctctl(8) has nothing of --$long (-$letter) of $verb"
	done < <("$ctl" help "$verb" 2>&1 | sed -nE \
		's/^  (-(.), |    )--([a-z-]+).*/\2 \3/p' |
		sed 's/^ /. /')
done <"$work/verbs"

# -- columns
sed -n '/define COLUMNS(X)/,/^$/p; /define COLUMNS_NAMED(X)/,/^$/p' \
	cli/column.h | sed -n 's/.*X(\([a-z_0-9]*\),.*/\1/p' |
	sort -u >"$work/columns"
section docs/ctctl.8 COLUMNS | sed -n 's/^\.It Cm //p' | tr ', ' '\n' |
	sed '/^$/d' | sort -u >"$work/manual"
same column "$work/columns" "$work/manual"

# -- the protocol
page=docs/ctshard-protocol.7
names() { # enum or oneof: its names
	awk -v start="$1" 'index($0, start) { on = 1; next }
		on && /}/ { exit } on' proto/ctshard.proto
}
for m in $(names 'oneof body {' | awk '{ print $1 }') \
	$(names 'enum EventType {' | awk '{ print $1 }') \
	$(names 'enum ErrorCode {' | awk '$1 != "OK" { print $1 }'); do
	grep -qwF -- "$m" "$page" || fault "ctshard-protocol(7) has nothing of $m"
done
while read -r m; do
	grep -qw "$m" proto/ctshard.proto ||
		fault "ctshard-protocol(7) names $m, the schema does not"
done < <(sed -n '/^\.Ss Requests/,/^\.Ss Events/s/^\.It Em //p' "$page" |
	tr -d '\\&,' | tr ' ' '\n' | sed '/^$/d')

# -- exit codes
exits() {
	section "$1" 'EXIT STATUS' | sed -n 's/^\.It \([0-9]\).*/\1/p' | sort -u
}
sed -n 's/.*CMD_[A-Z_]* = \([0-9]\).*/\1/p' cli/cmd.h | sort -u >"$work/codes"
exits docs/ctctl.8 >"$work/manual"
same "exit code of ctctl" "$work/codes" "$work/manual"

# -- counters: what `stats -o json` has
demo=$BUILD/tests/lib/mkdemo
if [ -x "$demo" ] && command -v jq >/dev/null; then
	"$demo" "$work/demo.pcap" || fault "no capture"
	TMPDIR=$work "$ctl" replay --stats - --table /dev/null "$work/demo.pcap" |
		jq -r 'del(.workers) | paths(scalars) | map(tostring) |
			join(".")' | sort -u >"$work/counters"
	[ -s "$work/counters" ] || fault "there are no counters"
	section docs/ctctl.8 COUNTERS |
		sed -n 's/^\.It Cm \([a-z0-9_.]*\).*/\1/p' | sort -u >"$work/manual"
	same counter "$work/counters" "$work/manual"
fi
exit $bad
