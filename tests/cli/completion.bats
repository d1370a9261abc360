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

@test "zsh: the script is whole" {
	command -v zsh >/dev/null || skip "no zsh"
	zsh -fc 'autoload -U compinit; compinit -D -u
		eval "$(ctctl completion zsh)" && whence _ctctl'
}

@test "fish: what it offers" {
	command -v fish >/dev/null || skip "no fish"
	HOME=$BATS_TEST_TMPDIR fish -c 'ctctl completion fish | source
		complete -C "ctctl li"
		complete -C "ctctl -R /x -L --sp"
		complete -C "ctctl list -o ext"
		complete -C "ctctl show wor"' |
		cut -f 1 | tr '\n' ' ' >"$BATS_TEST_TMPDIR/said"
	[ "$(cat "$BATS_TEST_TMPDIR/said")" = "list --sport extended workers " ]
}
