#!/bin/zsh -f
# What zsh offers where a line ends, asked as it asks: a zsh of its own, on a
# terminal of its own, in which Tab is pressed.
#
#	offers.zsh DIR LINE...
#
# Prints a line for each LINE: the words, sorted.  DIR is for its files.
zmodload zsh/zpty zsh/zselect || exit 77
dir=$1
shift
cat >$dir/zshrc <<'END'
PROMPT= RPROMPT=
unsetopt autolist automenu beep
autoload -U compinit
compinit -D -u
eval "$(ctctl completion zsh)"
zstyle ':completion:*' insert-tab false
# what would be shown goes to a file; what is only kept (-O, -A, -D) does not
compadd() {
	if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
		builtin compadd "$@"
		return
	fi
	local -a hits
	builtin compadd -A hits "$@"
	(( $#hits )) && print -rl -- $hits >>$dir/hits
	builtin compadd "$@"
}
press() {
	zle complete-word
	BUFFER=
	: >$dir/done
}
zle -N press
bindkey '^I' press
: >$dir/ready
END
appears() {	# FILE, within a minute
	local i
	for ((i = 0; i < 1200; i++)); do
		[[ -e $dir/$1 ]] && return
		# what it shows is nothing to us, and must not fill the terminal
		while zpty -rt asked text '?'; do :; done
		zselect -t 5
	done
	print -u 2 "never seen: $1"
	exit 1
}
export dir
zpty asked "zsh -f -i"
zpty -w asked "source $dir/zshrc"
appears ready
for line; do
	rm -f $dir/done $dir/hits
	zpty -w -n asked "$line"$'\t'
	appears done
	[[ -e $dir/hits ]] && sort -u $dir/hits | tr '\n' ' '
	print
done
zpty -d asked
