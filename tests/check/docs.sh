#!/bin/bash
# What the prose says is still true:
# - a row Fnnn cited in code stands in docs/behaviour.md, once;
# - an identifier (a_b, a(), a->b) in backquotes in a comment exists in code;
# - a path in backquotes in a page of docs/ or in the README exists;
# - the keys that `ctshardd -T` prints are those of ctshardd.conf(5);
# - the verbs of ctctl(8) are known to ctctl, and each of its words has a page;
# - mandoc has nothing to say.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
bad=0
fault() {
	echo "$*"
	bad=1
}
code=$(find shm proto daemon cli tests -name '*.[ch]' -o -name '*.proto')

# -- rows ------------------------------------------------------------------------
rows=$(sed -n 's/^| \(F[0-9][0-9][0-9]\) |.*/\1/p' docs/behaviour.md)
twice=$(sort <<<"$rows" | uniq -d)
[ -z "$twice" ] || fault "docs/behaviour.md has twice:" $twice
# "F090-F101" cites both ends of a range.
# shellcheck disable=SC2086
while read -r row; do
	grep -q "^$row\$" <<<"$rows" ||
		fault "cited and not in docs/behaviour.md: $row in" \
			$(grep -lw "$row" $code)
done < <(grep -howE 'F[0-9]{3}' $code docs/*.md docs/*.[1-8] README.md |
	sort -u)

# -- identifiers in comments -------------------------------------------------------
# Code without comments and strings of the quoting sort is where a name lives.
words=$(mktemp)
trap 'rm -f "$words"' EXIT
# shellcheck disable=SC2086
cat $code Makefile tests/*.sh tests/*.py docs/floors 2>/dev/null |
	sed 's/`[^`]*`//g' | grep -oE '[A-Za-z_][A-Za-z0-9_]*' |
	sort -u >"$words"
known() { # a name, or a list of names with punctuation between
	local w
	for w in $(grep -oE '[A-Za-z_][A-Za-z0-9_]*' <<<"$1"); do
		grep -qx -- "$w" "$words" || return 1
	done
}
# shellcheck disable=SC2086
while IFS= read -r hit; do
	name=${hit#*:\`}
	name=${name%\`}
	# A single word without such marks may be plain English or a value.
	case "$name" in *_* | *'()' | *'->'*) ;; *) continue ;; esac
	known "$name" || fault "${hit%%:*}: comment names \`$name\`, which is nowhere"
done < <(grep -oHE '`[A-Za-z_][A-Za-z0-9_.>()-]*`' $(grep -v '^tests/' <<<"$code") |
	sort -u)

# -- pages in Markdown -------------------------------------------------------------
for page in README.md docs/*.md; do
	[ -e "$page" ] || continue
	while read -r name; do
		case "$name" in
		*/*.* | */)
			case "$name" in
			build/* | /* | [.~]* | *'*'* | *..*) continue ;;
			esac
			[ -e "$name" ] || fault "$page: \`$name\` is not there"
			;;
		*_*)
			known "${name%%=*}" ||
				fault "$page: \`$name\` is nowhere in the code"
			;;
		esac
	done < <(grep -oE '`[^` ]+`' "$page" | tr -d '`' | sort -u)
done

# -- keys and verbs against the manual ---------------------------------------------
# A line of the manual documents a key by `.It Cm key`; a titled block's
# middle word is NAME there.
items() { # PAGE SECTION: the words of its .It Cm lines
	awk -v want="$2" '/^\.Sh / { on = substr($0, 5) == want }
		on && /^\.It Cm / { print $3 }' "$1" | sort -u
}
if [ -x "$BUILD/ctshardd" ] && "$BUILD/ctshardd" -V >/dev/null 2>&1; then
	sed -E 's/^helper\.[^.]+\./helper.NAME./
		s/^tunnel\.[^.]+\./tunnel.NAME./
		s/^tracker\..*/tracker.NAME/' < <(
		"$BUILD/ctshardd" -T -f /dev/null 2>/dev/null |
			sed -n '/^$/q; s/^\([a-z0-9_.-]*\) =.*/\1/p'
	) | sort -u >"$words.keys"
	trap 'rm -f "$words" "$words.keys"' EXIT
	if [ -s "$words.keys" ]; then
		while read -r k; do
			fault "ctshardd.conf(5) does not name the key $k"
		done < <(items docs/ctshardd.conf.5 KEYS |
			comm -13 - "$words.keys")
		while read -r k; do
			fault "ctshardd.conf(5) names $k, ctshardd -T does not"
		done < <(items docs/ctshardd.conf.5 KEYS |
			comm -23 - "$words.keys")
	else
		fault "ctshardd -T prints no keys"
	fi
fi
if [ -x "$BUILD/ctctl" ]; then
	for v in $(items docs/ctctl.8 VERBS); do
		"$BUILD/ctctl" help "$v" >/dev/null 2>&1 ||
			fault "ctctl(8) names the verb $v, ctctl help does not"
	done
fi

if command -v mandoc >/dev/null; then
	# Pages that refer to each other are found only once installed.
	mandoc -T lint -W warning docs/*.[1-8] || bad=1
fi
exit $bad
