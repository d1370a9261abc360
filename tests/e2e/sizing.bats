#!/usr/bin/env bats
# The memory plan, and how busy workers are and where.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

@test "-T: what a smaller machine should set fits into it" {
	"$BUILD/ctshardd" -T -f /dev/null -i lo >"$W/plan"
	sed -n '/^$/,$p' "$W/plan" | grep -q '^needs [0-9]*, if all'
	grep -qE '^in 64 MiB max=[0-9]+ event.ring=[0-9]+ event.log=[0-9]+ capture.buffer=[0-9]+$' \
		"$W/plan"
	while read -r _ mib _ words; do
		# shellcheck disable=SC2086
		"$BUILD/ctshardd" -T -f /dev/null -i lo \
			$(printf -- '-s %s ' $words) >"$W/small"
		awk -v room="$mib" '$1 == "needs" { need = $2 + 0
			ok = need <= room * 1048576 && need > room * 300000 }
			END { exit !ok }' "$W/small"
	done < <(grep '^in [0-9]* MiB max' "$W/plan")
	# more than there is
	"$BUILD/ctshardd" -T -f /dev/null -s max=2000000000 >"$W/plan"
	grep -qE '^does not fit; half of it holds max=[0-9]+ ' "$W/plan"
	grep -qE '^in 1024 MiB max=[0-9]+ event.ring=16777216 event.log=33554432$' \
		"$W/plan"
}

@test "worker.cpus: pinned where it says, and shown; nonsense is refused" {
	for bad in 2-1 x 1, ,1 1-2-3 70000 '1 2'; do
		run "$BUILD/ctshardd" -t -f /dev/null -s worker.cpus="$bad"
		[ "$status" -eq 2 ]
		[[ "$output" == *worker.cpus* ]]
	done
	start_demo -w 2 -s worker.cpus="$cpu"
	[ "$(taskset -cp "$(role 'worker 0')" | sed 's/.*: //')" = "$cpu" ]
	[ "$(taskset -cp "$(role 'worker 1')" | sed 's/.*: //')" = "$cpu" ]
	ctl show workers -o json >"$W/workers"
	jq -e --arg cpu "$cpu" --argjson all "$(nproc --all)" '.workers |
		(.[] | select(.role == "worker 1") |
			.cpus == (if $all == 1 then "any" else $cpu end)) and
		(map(.cpu | test("^[0-9]+[.][0-9]%$")) | all) and
		([.[] | select(.role | startswith("worker")) |
			.ring_fill | test("^[0-9]+%$")] | length == 2 and all)' \
		"$W/workers"
}
