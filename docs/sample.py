#!/usr/bin/python3
"""The configuration with every key, commented, at its default.

    sample.py CTSHARDD ctshardd.conf.5 >ctshardd.conf

Keys and defaults come from `ctshardd -T`, the sentence above each is the first
one of its item in the manual page.
"""
import re
import subprocess
import sys
import textwrap

MACROS = 'Cm Pa Ar Fl Ns Xr Sx Pq Pc Po Sy Em Ev Dv'.split()


def words(line):
    """A line of mdoc as plain text."""
    if line.startswith('.Ql '):
        m = re.match(r'(.*?)( [,.;:])?$', line[4:].strip())
        return "'" + m.group(1) + "'" + (m.group(2) or '').strip()
    if line.startswith('.'):
        text = ' '.join(w for w in line[1:].split() if w not in MACROS)
        return re.sub(r' ([,.;:])', r'\1', text)
    return line


def sentences(page):
    """{key: the first sentence of its item}"""
    section = page[page.index('.Sh KEYS'):]
    section = section[:section.index('\n.Sh ', 5)]
    found = {}
    for item in re.split(r'^\.It Cm ', section, flags=re.M)[1:]:
        key, _, rest = item.partition('\n')
        text = []
        for line in rest.split('\n'):
            if re.match(r'\.(El|Bl|Ss|Sh|Pp|Bd|Ed)\b', line):
                break
            text.append(words(line))
        text = ' '.join(t for t in text if t)
        m = re.match(r'(.*?[^.]\.)( |$)', text)
        text = m.group(1) if m else text
        found[key.split()[0]] = '' if text.isdigit() else text
    return found


def general(key):
    key = re.sub(r'^(helper|tunnel)\.[^.]+\.', r'\1.NAME.', key)
    return re.sub(r'^tracker\..*', 'tracker.NAME', key)


def main():
    run = subprocess.run([sys.argv[1], '-T', '-f', '/dev/null'],
                         stdout=subprocess.PIPE, text=True, check=True)
    with open(sys.argv[2]) as f:
        said = sentences(f.read())
    print('# Settings of ctshardd(8); ctshardd.conf(5) has all about each.\n'
          '#\n# Every key stands here with its default.')
    for line in run.stdout.split('\n\n')[0].splitlines():
        key, value = (w.strip() for w in line.split('=', 1))
        if key == 'decap':
            value = '{}'
        elif not re.fullmatch(r'[A-Za-z0-9_.]+', value):
            value = '"' + value + '"'
        print()
        for text in textwrap.wrap(said.get(general(key), ''), 76):
            print('#', text)
        print(f'#{key} = {value}')


main()
