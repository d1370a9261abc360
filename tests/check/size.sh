#!/bin/bash
# The budget: files up to 600 lines (never above 900), functions with a median
# up to 15 lines (never above 120, unless the function is a table in the shape
# of a switch), headers up to 250, comments 12 to 20 %, `#if` up to 2 per
# 1000 lines.  Prints the figures; fails above the hard limits.
set -u
cd "$(dirname "$0")/../.." || exit 1

files=$(find shm proto daemon cli -name '*.[ch]' | sort)
# shellcheck disable=SC2086
awk '
function report(text) { print text; bad = 1 }
function file_end() {
	if (!file)
		return
	if (lines > 900)
		report(file ": " lines " lines, hard limit 900")
	else if (lines > 600 || (file ~ /\.h$/ && lines > 250))
		print file ": " lines " lines (budget " \
		      (file ~ /\.h$/ ? 250 : 600) ")"
	if (lines > longest) {
		longest = lines
		longest_file = file
	}
}
FNR == 1 {
	file_end()
	file = FILENAME
	lines = in_fn = in_comment = 0
}
{
	lines++
	total++
	comment += in_comment || /^[[:space:]]*\/\*/
	if (/\/\*/ && !/\*\//)
		in_comment = 1
	if (/\*\//)
		in_comment = 0
}
/^[[:space:]]*#[[:space:]]*if/ && !/_H$/ { conditional++ }
# A function body starts with a brace alone in column 1 and ends likewise.
file ~ /\.c$/ && /^\{$/ { in_fn = FNR; name = prev; next }
file ~ /\.c$/ && /^\}$/ && in_fn {
	n = FNR - in_fn - 1
	len[++fn] = n
	if (n > 120)
		report(file ":" in_fn ": " n " lines in one function, " \
		       "hard limit 120: " name)
	in_fn = 0
}
NF { prev = $0 }
END {
	file_end()
	for (i = 2; i <= fn; i++) {
		v = len[i]
		for (j = i - 1; j > 0 && len[j] > v; j--)
			len[j + 1] = len[j]
		len[j + 1] = v
	}
	printf "%d lines; longest file %s, %d\n", total, longest_file, longest
	if (fn)
		printf "%d functions: median %d, p90 %d, max %d\n", fn, \
			len[int((fn + 1) / 2)], len[int((fn * 9 + 9) / 10)], \
			len[fn]
	if (total)
		printf "comments %.0f %%, #if %.1f per 1000 lines\n", \
			100 * comment / total, 1000 * conditional / total
	exit bad || !total
}' $files
