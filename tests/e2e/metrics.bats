#!/usr/bin/env bats
# The figures as OpenMetrics: on stdout and over HTTP.
load lib

setup() { e2e_setup; }
teardown() { e2e_teardown; }

judge() {
	/usr/bin/python3 tests/lib/openmetrics.py
}

# The sum of a counter's series: FAMILY [LABEL="VALUE"]
sum() {
	grep "^ctshard_$1.*${2-}" "$W/m" | awk '{ n += $NF } END { print n }'
}

@test "metrics: strict OpenMetrics, the families of docs, the statistics' sums" {
	start_demo -w 2
	ctl metrics >"$W/m"
	diff <(judge <"$W/m") <(grep -v '^#' docs/metrics)
	[ "$(sum frames_total)" = 125 ]
	[ "$(sum connections)" -ge 17 ]
	grep -qx 'ctshard_connections 17' "$W/m"
	for class in new established established_reply related_reply; do
		[ "$(sum packets_total "class=\"$class\"")" = \
			"$(ctl stats -o json | jq ".packets.$class")" ]
	done
	[ "$(sum events_total 'type="new"')" = 20 ]
	run ! grep -E '10\.0|fd01' "$W/m"
	if command -v promtool >/dev/null; then
		# it reads the older format, where samples and families have
		# one name and there is no info
		awk 'NR == FNR { if (/^# TYPE .* counter$/) kind[$3] = "_total"
				if (/^# TYPE .* info$/) kind[$3] = "_info"
				next }
			/^# (UNIT|EOF)/ { next }
			/^# TYPE .* info$/ { $4 = "gauge" }
			/^# (TYPE|HELP)/ { $3 = $3 kind[$3] }
			{ print }' "$W/m" "$W/m" >"$W/text"
		promtool check metrics <"$W/text"
	fi
}

@test "the judge of OpenMetrics finds faults" {
	good='# TYPE a counter
a_total{x="1"} 1
# EOF'
	judge <<<"$good"
	for edit in 's/a_total/a/' 's/# EOF/#EOF/' 's/ 1$/ one/' \
		's/ 1$/ -1/' '1d' 's/counter/count/' 's/"1"/1/' \
		'2{p}' '2{p;s/x="1"/x="1",x="2"/}' '/EOF/{i\

}' 's/^# TYPE.*/&\n&/' '/EOF/{i # TYPE b gauge
}'; do
		run ! judge < <(sed "$edit" <<<"$good")
	done
}

@test "HTTP: /metrics, bounded, and off by default" {
	port=$(/usr/bin/python3 -c '
import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	start_demo -s "metrics=127.0.0.1:$port"
	ctl metrics | grep -v elapsed >"$W/m"
	/usr/bin/python3 - "$port" "$W/http" <<-'END'
	import socket, sys
	at = ('127.0.0.1', int(sys.argv[1]))
	def ask(text, half=False):
	    s = socket.create_connection(at)
	    s.sendall(text)
	    if half:
	        return s
	    got = b''
	    while True:
	        part = s.recv(65536)
	        if not part:
	            break
	        got += part
	    head, body = got.split(b'\r\n\r\n', 1)
	    return head.decode(), body.decode()
	GET = b'GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n'
	head, body = ask(GET)
	assert head.startswith('HTTP/1.1 200 '), head
	assert 'application/openmetrics-text; version=1.0.0' in head
	assert f'Content-Length: {len(body)}' in head
	open(sys.argv[2], 'w').write(body)
	head, none = ask(GET.replace(b'GET', b'HEAD'))
	assert head.startswith('HTTP/1.1 200 ') and none == ''
	for text, status in ((b'GET / HTTP/1.0\r\n\r\n', 404),
	                     (GET.replace(b'GET', b'POST'), 405),
	                     (b'\r\n\r\n', 400), (b'GET\r\n\r\n', 400),
	                     (b'x' * 4096, 431),
	                     (b'GET /metrics?x=1 HTTP/1.1\r\n\r\n', 200)):
	    head, _ = ask(text)
	    assert f' {status} ' in head.split('\r\n')[0], (text, head)
	# who says nothing holds a place; behind the last one others wait
	idle = [ask(b'GET /me', half=True) for _ in range(16)]
	late = ask(GET, half=True)
	late.settimeout(0.3)
	try:
	    assert not late.recv(1)
	    raise SystemExit('more than 16 are served')
	except TimeoutError:
	    pass
	idle.pop().close()
	late.settimeout(None)
	assert late.recv(12) == b'HTTP/1.1 200'
	END
	judge <"$W/http"
	diff <(grep -v 'elapsed\|clients\|huge' "$W/http") \
		<(grep -v 'clients\|huge' "$W/m")
	answers
	kill_role api
	stop
	"$BUILD/ctshardd" -T -f /dev/null | grep -qx 'metrics = '
	run "$BUILD/ctshardd" -t -s metrics=9478
	[ "$status" -eq 2 ]
	[[ "$output" == *"-s metrics: ADDRESS:PORT"* ]]
}
