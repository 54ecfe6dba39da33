"""Compiles modules to checked-hash bytecode (PEP 552): a task at a time from stdin, results to stdout.

A task is a count, then for each module its path and its source, each a length and bytes; numbers are unsigned
32-bit, big endian. A result is, for each module, a length and the bytes of its .pyc, or NONE for a module that
does not compile. Modules are parsed, never imported.

CPython marks an object in a .pyc as shared when something else refers to it, also what was compiled before, so
each task runs in a fresh child of this process, which itself compiles nothing.
"""

import os
import struct
import sys
from importlib import _bootstrap_external, util

NONE = 0xFFFFFFFF


def read(stream, size):
    data = stream.read(size)
    if len(data) != size:
        sys.exit("the task ends early")
    return data


def number(stream):
    return struct.unpack(">I", read(stream, 4))[0]


def compiled(path, source):
    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    except Exception:  # SyntaxError, ValueError, RecursionError, ...: templates and other languages' tests.
        return None
    return bytes(_bootstrap_external._code_to_hash_pyc(code, util.source_hash(source), True))


def work(modules, out):
    for path, source in modules:
        pyc = compiled(path, source)
        out.write(struct.pack(">I", NONE if pyc is None else len(pyc)))
        out.write(pyc or b"")
    out.flush()


def main():
    tasks, out = sys.stdin.buffer, sys.stdout.buffer
    while True:
        head = tasks.read(4)
        if not head:
            return
        modules = []
        for _ in range(struct.unpack(">I", head)[0]):
            path = read(tasks, number(tasks)).decode()
            modules.append((path, read(tasks, number(tasks))))
        child = os.fork()
        if child == 0:
            work(modules, out)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status != 0:
            sys.exit(f"a compiler process ended with status {status}")


main()
