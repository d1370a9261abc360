#!/usr/bin/env bats
# What the documentation shows is what happens.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

@test "the tutorial, command by command" {
	root=$PWD
	cd "$W"
	PATH=$BUILD:$PATH /usr/bin/python3 "$root/tests/lib/tutorial.py" \
		"$root/docs/tutorial.md"
}

@test "the README, command by command" {
	root=$PWD
	cd "$W"
	PATH=$BUILD:$PATH /usr/bin/python3 "$root/tests/lib/tutorial.py" \
		"$root/README.md" 4
}

@test "what people ask: each command of the page is one" {
	start_demo -s history=1M -s history_file="$W/history"
	ctl dump "$W/snapshot"
	id=$(ctl list -p tcp -j 2>/dev/null | jq -r '.[0].id')
	cid=$(ctl list -p tcp --community-id -j 2>/dev/null |
		jq -r '.[0].community_id')
	n=0
	while read -r line; do
		# which have tests of their own
		[[ ! "$line" =~ ^(upgrade|top)$ ]] || continue
		line=${line//FILE/$W/snapshot}
		line=${line//1:xxxx/$cid}
		line=${line//ID/$id}
		line=${line//demo.pcap/$demo}
		code=0
		eval "timeout 60 \"\$BUILD/ctctl\" -R \"\$run_dir\" $line" \
			>"$W/out" 2>"$W/err" </dev/null || code=$?
		# compare tells differences, or that it may not look
		[ "$code" = 0 ] || [ "$line $code" = "compare 1" ] ||
			{ echo "ctctl $line: $code"; cat "$W/err"; false; }
		n=$((n + 1))
	done < <(tr '\n' ' ' <docs/users.md | grep -o '`ctctl [^`]*`' |
		sed 's/^`ctctl //; s/`$//' | awk '!seen[$0]++')
	[ "$n" -gt 20 ]
}

@test "example in C: built against the installed header and library" {
	# a sanitized library wants a sanitized program
	! ldd "$BUILD/libctshard.so" | grep -q 'lib[at]san' ||
		skip "the library is built with a sanitizer"
	mkdir "$W/include"
	cp proto/ctshard.h "$W/include"
	${CC:-gcc} -std=c99 -Wall -Wextra -Werror -I"$W/include" \
		-o "$W/ports" docs/examples/ports.c -L"$BUILD" -lctshard \
		-Wl,-rpath,"$(realpath "$BUILD")"
	start_demo
	diff <("$W/ports" "$run_dir") <(ctl list -o json 2>/dev/null | jq -r '
		map(.original.dport | select(.)) | group_by(.) |
		map("\(.[0]) \(length)") | .[]')
	run "$W/ports" "$W/nowhere"
	[ "$status" -eq 1 ]
}

@test "example in the library's manual" {
	! ldd "$BUILD/libctshard.so" | grep -q 'lib[at]san' ||
		skip "the library is built with a sanitizer"
	mkdir "$W/include"
	cp proto/ctshard.h "$W/include"
	sed -n '/^\.Bd -literal/,/^\.Ed/p' docs/libctshard.3 |
		sed '1d;$d;s/\\e/\\/g' >"$W/list.c"
	sed -i "s|CTSHARD_RUNDIR|\"$run_dir\"|" "$W/list.c"
	${CC:-gcc} -std=c99 -Wall -Wextra -Werror -I"$W/include" \
		-o "$W/list" "$W/list.c" -L"$BUILD" -lctshard \
		-Wl,-rpath,"$(realpath "$BUILD")"
	start_demo
	diff <("$W/list" | sort) <(ctl list -o json 2>/dev/null |
		jq -r '.[] | "\(.proto // "unknown") \(.state // "")"' | sort)
}

@test "example in Python: from the schema alone" {
	command -v protoc >/dev/null || skip "no protoc"
	/usr/bin/python3 -c 'import google.protobuf' 2>/dev/null ||
		skip "no python3-protobuf"
	start_demo
	docs/examples/follow.py "$run_dir" proto/ctshard.proto \
		>"$W/said" 2>"$W/err" 3>&- 4>&- &
	others+=("$!")
	try grep -q LIST_END "$W/said"
	[ "$(grep -c '^LIST ' "$W/said")" = 17 ]
	ctl delete -p icmp 2>/dev/null
	try grep -q '^DESTROY icmp 10.0.0.10:0 10.0.1.80:0  api' "$W/said"
	[ ! -s "$W/err" ]
	# it goes on where it was, whoever dies
	kill_role api
	ctl delete -p udp --dport 53 2>/dev/null
	try grep -q '^DESTROY udp 10.0.0.10:40053 10.0.1.53:53  api' "$W/said"
	[ -z "$(grep '^DESTROY' "$W/said" | sort | uniq -d)" ]
	[ "$(grep -c '^LIST ' "$W/said")" = 17 ]
	run ! grep GAP "$W/said"
}

@test "example in shell: what has ended, by bytes" {
	start_demo
	PATH=$BUILD:$PATH docs/examples/longest.sh "$run_dir" 2 >"$W/said"
	[ "$(wc -l <"$W/said")" = 2 ]
	sort -rnc "$W/said"
	shellcheck docs/examples/longest.sh 2>/dev/null ||
		! command -v shellcheck
}
