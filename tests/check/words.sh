#!/bin/bash
# The project speaks of itself alone: no path of a workplace, no mark of
# unfinished work.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0

forbid() { # REASON, then arguments for grep
	local why=$1
	shift
	if grep -rnI --exclude-dir=.git --exclude=.git --exclude-dir=build "$@" \
		--exclude=words.sh .; then
		echo "^ $why"
		bad=1
	fi
}
forbid 'a path of one machine' -E '(^|[^[:alnum:]_.-])/work/|/home/[a-z]|/tmp/brief'
forbid 'the collection of captures is named in one place' \
	-E '\.\./shared' --exclude=check-captures.py
forbid 'a tool that helped to write is not part of the story' \
	-iwE 'claude|chatgpt|copilot|llm|language model|ai agent|sub-?agents?'
forbid 'this tells of the work, not of the program' \
	-iE '\b(this|last|previous|my|next) (working )?session\b|as (the|an) (agent|assistant)\b|(owner|issue)'"'s (issue|brief)|the brief (says|asks)"
forbid 'finish it or leave it out' -wE 'TODO|FIXME|XXX|HACK' \
	--include='*.[ch]' --include='*.sh' --include='*.py' --include='*.bats'
exit $bad
