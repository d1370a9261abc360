#!/usr/bin/env bats
# What the shells offer, asked as they ask.
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	export PATH=${BUILD:-$PWD/build}:$PATH
}

# The words bash offers for a line; the last is being typed.
offers() {
	bash -c '
	eval "$(ctctl completion bash)"
	COMP_WORDS=(ctctl "$@") COMP_CWORD=$#
	_ctctl
	printf "%s\n" "${COMPREPLY[@]}"' - "$@" | sort | tr -s '\n' ' '
}

@test "bash: verbs, options of a verb, their values" {
	[ "$(offers li)" = "list " ]
	[ "$(offers -R /x wat)" = "watch " ]
	[ "$(offers list --spo)" = "--sport " ]
	[ "$(offers -L --orig-p)" = "--orig-port-dst --orig-port-src " ]
	[ "$(offers watch --spo)" = "--sport " ]
	[ "$(offers watch --snap)" = "--snapshot " ]
	[ "$(offers list --snap)" = " " ]
	[ "$(offers list -o ext)" = "extended " ]
	[ "$(offers list -o json,wi)" = "json,wide " ]
	[ "$(offers list --output = xm)" = "xml " ]
	[ "$(offers list -f "")" = "ipv4 ipv6 " ]
	[ "$(offers list --sort by)" = "bytes " ]
	[ "$(offers list -s -)" = " " ]
	[ "$(offers replay -s "")" = " " ]
	[ "$(offers show wor)" = "workers " ]
	[ "$(offers help compl)" = "completion " ]
	[ "$(offers completion z)" = "zsh " ]
	[ "$(offers replay tests/cli/comp)" = "tests/cli/completion.bats " ]
	[ "$(offers -R tests/cl)" = "tests/cli " ]
	for verb in $(ctctl -h | awk '/^  [a-z]/ { print $1 }'); do
		[[ " $(offers "$verb")" == *" $verb "* ]]
		# each option of the help is offered
		for o in $(ctctl help "$verb" | grep -oE '^  .{4}--[a-z-]+' |
			grep -oE -e '--.*'); do
			[[ " $(offers "$verb" "$o")" == *" $o "* ]]
		done
	done
	run ctctl completion tcsh
	[ "$status" -eq 2 ]
}

# What a line offers; where a shell gives more than the word that is still to
# come, it stands behind a bar.
lines() {
	cat <<-'END'
	ctctl li=list
	ctctl -R /x wat=watch
	ctctl list --spo=--sport
	ctctl -L --orig-p=--orig-port-dst --orig-port-src
	ctctl watch --snap=--snapshot
	ctctl list --snap=
	ctctl list -o ext=extended
	ctctl list -o json,wi=wide|json,wide
	ctctl list --output=xm=xml|--output^xml
	ctctl list -f =ipv4 ipv6
	ctctl list --sort by=bytes
	ctctl -L -u ASS=ASSURED
	ctctl show wor=workers
	ctctl help compl=completion
	ctctl completion z=zsh
	ctctl expect =count flush list watch
	ctctl watch -e aud=audit
	ctctl replay tests/cli/comp=completion.bats|tests/cli/completion.bats
	END
}

# The verbs that other shells are asked for all options of.
verbs() {
	ctctl help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'
}

# SHELL: its words, a line for each of `lines`, then for each verb's options,
# are in $BATS_TEST_TMPDIR/said.
judge() {
	local line said want
	exec 5<"$BATS_TEST_TMPDIR/said"
	while read -r line; do
		read -r said <&5
		want=${line##*=} want=${want/^/=}
		echo "${line%=*}: $said"
		[ "$said" = "${want%|*}" ] || [ "$said" = "${want#*|}" ]
	done < <(lines)
	for verb in $(verbs); do
		read -r said <&5
		for o in $(ctctl help "$verb" | grep -oE '^  .{4}--[a-z-]+' |
			grep -oE -e '--.*'); do
			[[ " $said " == *" $o "* ]] ||
				{ echo "$verb: no $o in $said"; false; }
		done
	done
	exec 5<&-
}

asked() {
	mapfile -t asked < <(lines | sed 's/=[^=]*$//'
		verbs | sed 's/.*/ctctl & --/')
}

@test "zsh: what Tab offers" {
	command -v zsh >/dev/null || skip "no zsh"
	asked
	tests/lib/offers.zsh "$BATS_TEST_TMPDIR" "${asked[@]}" \
		>"$BATS_TEST_TMPDIR/said"
	judge
}

@test "fish: what it offers" {
	command -v fish >/dev/null || skip "no fish"
	asked
	HOME=$BATS_TEST_TMPDIR fish -c 'ctctl completion fish | source
		for line in $argv
			complete -C $line | cut -f 1 | sort | tr "\n" " "
			echo
		end' -- "${asked[@]}" >"$BATS_TEST_TMPDIR/said"
	judge
}
