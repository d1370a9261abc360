#!/usr/bin/python3
"""Judge OpenMetrics 1.0 text on stdin, line by line, strictly.

Prints "name type" of each family, sorted; exits 1 with the line's number and
the reason at the first fault.
"""
import re
import sys

SUFFIXES = {'counter': ('_total', '_created'), 'gauge': ('',),
            'info': ('_info',), 'unknown': ('',)}
NAME = r'[a-zA-Z_:][a-zA-Z0-9_:]*'
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(r'(%s)(?:\{(%s(?:,%s)*)\})? (\S+)( \S+)?\Z'
                    % (NAME, LABEL, LABEL))
NUMBER = re.compile(r'[+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?'
                    r'|\.\d+|[Ii]nf|NaN)\Z')
META = re.compile(r'# (HELP|TYPE|UNIT) (%s) (.*)\Z' % NAME)


class Fault(Exception):
    pass


def check(text):
    if not text.endswith('# EOF\n'):
        raise Fault('the last line is not "# EOF"')
    families, current, series, meta = {}, None, set(), set()
    lines = text[:-1].split('\n')
    for at, line in enumerate(lines[:-1], 1):
        m = META.match(line)
        if m:
            word, name, rest = m.groups()
            if name != current:
                if name in families:
                    raise Fault(f'{at}: family {name} comes twice')
                families[name] = None
                current, meta = name, set()
            elif 'sampled' in meta:
                raise Fault(f'{at}: {word} behind samples')
            if word in meta:
                raise Fault(f'{at}: {word} of {name} comes twice')
            meta.add(word)
            if word == 'TYPE':
                if rest not in SUFFIXES:
                    raise Fault(f'{at}: no type: {rest}')
                families[name] = rest
            if word == 'HELP' and re.search(r'(?<!\\)(\\\\)*\\[^\\n"]', rest):
                raise Fault(f'{at}: bad escape')
            if word == 'HELP' and not rest.strip():
                raise Fault(f'{at}: empty help')
            continue
        m = SAMPLE.match(line)
        if not m:
            raise Fault(f'{at}: neither a sample nor metadata: {line!r}')
        name, labels, value, _ = m.groups()
        if current is None or not families[current]:
            raise Fault(f'{at}: a sample before its TYPE')
        kind = families[current]
        if name not in [current + s for s in SUFFIXES[kind]]:
            raise Fault(f'{at}: {name} is not of the {kind} {current}')
        if not NUMBER.match(value):
            raise Fault(f'{at}: no number: {value}')
        if kind == 'counter' and (value.startswith('-') or value == 'NaN'):
            raise Fault(f'{at}: a counter below zero')
        if kind == 'info' and value != '1':
            raise Fault(f'{at}: an info that is not 1')
        keys = [k for k, _ in
                re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or '')]
        if len(keys) != len(set(keys)):
            raise Fault(f'{at}: a label twice')
        if (name, labels) in series:
            raise Fault(f'{at}: a series twice')
        series.add((name, labels))
        meta.add('sampled')
    for name, kind in families.items():
        if not kind:
            raise Fault(f'{name} has no TYPE')
        if not any(s.startswith(name) for s, _ in series):
            raise Fault(f'{name} has no sample')
        for end in SUFFIXES['counter'] + SUFFIXES['info']:
            if name.endswith(end):
                raise Fault(f'{name} ends in {end}')
    return families


if __name__ == '__main__':
    try:
        for name, kind in sorted(check(sys.stdin.read()).items()):
            print(name, kind)
    except Fault as e:
        sys.exit(f'openmetrics: {e}')
