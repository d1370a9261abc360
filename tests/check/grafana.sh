#!/bin/bash
# Each metric that a query of docs/grafana.json names is in docs/metrics, with
# the suffix that its type has; docs/metrics is held against the daemon by a
# test of tests/e2e.
set -u
cd "$(dirname "$0")/../.." || exit 1

/usr/bin/python3 - <<'END'
import json, re, sys
known = set()
for line in open('docs/metrics'):
    if line.startswith('#'):
        continue
    name, kind = line.split()
    known.add(name + {'counter': '_total', 'info': '_info'}.get(kind, ''))
board = json.load(open('docs/grafana.json'))
queries = [t['expr'] for p in board['panels'] for t in p['targets']]
queries += [v['query'] for v in board['templating']['list']
            if v['type'] == 'query']
bad = 0
for q in queries:
    names = re.findall(r'\bctshard_[a-z0-9_]*', q)
    for n in names or ['(none)']:
        if n not in known:
            print(f'docs/grafana.json: {n} is no metric: {q}')
            bad = 1
print(len(queries), 'queries')
sys.exit(bad or not queries)
END
