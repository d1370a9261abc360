#!/usr/bin/python3
"""Does JSON on standard input agree with a definition of a schema?

	schema.py SCHEMA NAME

Of JSON Schema as much as docs/ctctl.schema.json uses: type, enum, pattern,
properties, patternProperties, required, additionalProperties, items, anyOf,
$ref.  A word of a schema that is none of these is a fault of the schema.
Several values on standard input are looked at one by one.
"""
import json
import re
import sys

TYPES = {'object': dict, 'array': list, 'string': str, 'boolean': bool,
         'integer': int, 'number': (int, float)}
KNOWN = {'$ref', 'type', 'enum', 'pattern', 'properties', 'required', 'items',
         'patternProperties', 'additionalProperties', 'anyOf', 'description'}


class Schema:
    def __init__(self, root):
        self.root = root

    def faults(self, s, v, at='$'):
        if set(s) - KNOWN:
            yield '%s: schema says %s' % (at, set(s) - KNOWN)
        if '$ref' in s:
            name = s['$ref'].removeprefix('#/definitions/')
            yield from self.faults(self.root['definitions'][name], v, at)
            return
        if 'anyOf' in s:
            if all(any(True for _ in self.faults(a, v, at))
                   for a in s['anyOf']):
                yield '%s: none of those it may be' % at
            return
        t = TYPES[s['type']] if 'type' in s else object
        if not isinstance(v, t) or isinstance(v, bool) and t is not bool \
                and 'type' in s:
            yield '%s: %r is no %s' % (at, v, s['type'])
            return
        if 'enum' in s and v not in s['enum']:
            yield '%s: %r is none of %s' % (at, v, s['enum'])
        if 'pattern' in s and not re.search(s['pattern'], v):
            yield '%s: %r does not look like %s' % (at, v, s['pattern'])
        if isinstance(v, list):
            for i, e in enumerate(v):
                yield from self.faults(s.get('items', {}), e,
                                       '%s[%d]' % (at, i))
        if isinstance(v, dict):
            yield from self.members(s, v, at)

    def members(self, s, v, at):
        for k in s.get('required', ()):
            if k not in v:
                yield '%s: no %s' % (at, k)
        for k, e in v.items():
            here = '%s.%s' % (at, k)
            of = s.get('properties', {}).get(k)
            for p, sub in s.get('patternProperties', {}).items():
                if of is None and re.search(p, k):
                    of = sub
            if of is None:
                of = s.get('additionalProperties', {})
            if of is False:
                yield '%s: not known' % here
            elif of is not True:
                yield from self.faults(of, e, here)


def values(text):
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        v, at = decoder.raw_decode(text, at)
        yield v
        while at < len(text) and text[at].isspace():
            at += 1


def main():
    with open(sys.argv[1]) as f:
        root = json.load(f)
    schema, bad, n = Schema(root), 0, 0
    for v in values(sys.stdin.read().strip()):
        n += 1
        for text in schema.faults(root['definitions'][sys.argv[2]], v):
            bad += 1
            if bad <= 10:
                print(text)
    if not n:
        print('there is nothing')
    return 1 if bad or not n else 0


if __name__ == '__main__':
    sys.exit(main())
