#!/bin/sh
# The connections that moved most bytes, of those that have ended.
#
#	longest.sh [RUNDIR [COUNT]]
#
# Reads events as far back as the daemon remembers; ctctl watch would go on for
# ever, so it is told how many to read: as many as there have been.
set -eu

ctl() {
	ctctl -R "${rundir:-/run/ctshardd}" "$@"
}
rundir=${1-}
ended=$(ctl stats -o json | jq .events.destroy)
[ "$ended" -gt 0 ] || exit 0
ctl watch --since start -e destroy -n "$ended" -o jsonl 2>/dev/null |
	jq -r 'select(.event == "DESTROY") |
		[.original.bytes + .reply.bytes, .proto,
		.original.src, .original.dst, .reason] | @tsv' |
	sort -rn | head -n "${2:-10}"
