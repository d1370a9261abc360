#!/usr/bin/python3
"""Run the console blocks of a page and compare what they print.

	tutorial.py PAGE [LEAST]

in the current directory, one shell for all commands, at least LEAST of them
(10).  A command that ends in `&` is given until the daemon answers.
"""
import re
import subprocess
import sys

MARK = '=== end of output ==='


def commands(page):
    for block in re.findall(r'^```console\n(.*?)^```$', page, re.M | re.S):
        for part in re.split(r'\n\n', block):
            if not part.startswith('$ '):
                continue
            line, _, want = part.partition('\n')
            yield line[2:], want.strip('\n')


def main():
    shell = subprocess.Popen(['bash'], stdin=subprocess.PIPE, text=True,
                             stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)

    def run(line):
        shell.stdin.write(f'{line}\necho "{MARK}"\n')
        shell.stdin.flush()
        got = []
        for out in shell.stdout:
            if out.rstrip('\n') == MARK:
                return '\n'.join(got)
            got.append(out.rstrip('\n'))
        sys.exit(f'the shell ended: {line}')

    bad = n = 0
    for line, want in commands(open(sys.argv[1]).read()):
        n += 1
        got = run(line)
        if line.endswith('&'):
            run('for i in $(seq 600); do ctctl -R run count '
                '>/dev/null 2>&1 && [ "$(ctctl -R run stats -o json | '
                'jq .frames)" = 125 ] && break; sleep 0.05; done')
        elif sorted(got.split('\n')) != sorted(want.split('\n')):
            print(f'$ {line}\n--- the page\n{want}\n+++ here\n{got}')
            bad = 1
    run('kill $(cat run/pid); wait')
    shell.stdin.close()
    shell.wait()
    print(n, 'commands')
    sys.exit(bad or n < int(sys.argv[2] if len(sys.argv) > 2 else 10))


main()
