"""Finds the ``imagewright`` program and speaks with it: a spec goes in as JSON, the answer comes out as JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

from ._errors import BY_EXIT_CODE, InternalError, MachineError, SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, Iterator, Mapping, Sequence

#: Names the program, instead of the one that this package brought.
PROGRAM = "IMAGEWRIGHT_PROGRAM"

_INSTALL = f"install the package with its program: `pip install imagewright`; or set {PROGRAM} to the path of one"

#: What a shell says of a command that Ctrl-C ended.
_INTERRUPTED = 130


def find() -> str:
    """The path of the program: beside this interpreter, where pip put it, else on ``PATH``."""
    named = os.environ.get(PROGRAM)
    if named:
        return named
    # Python that is part of another program may have no path.
    beside = os.path.join(os.path.dirname(sys.executable or os.devnull), "imagewright")
    if os.access(beside, os.X_OK):
        return beside
    import shutil
    import sysconfig

    schemes = [sysconfig.get_path("scripts")]
    user = "posix_user" if os.name == "posix" else "nt_user"
    if user in sysconfig.get_scheme_names():
        schemes.append(sysconfig.get_path("scripts", user))
    for folder in schemes:
        path = os.path.join(folder, "imagewright")
        if os.access(path, os.X_OK):
            return path
    path_or_none = shutil.which("imagewright")
    if path_or_none is None:
        raise MachineError("the program `imagewright` is not there", _INSTALL)
    return path_or_none


def call(
    arguments: Sequence[str],
    *,
    spec: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    answers: Sequence[int] = (0,),
) -> str:
    """Runs the program and gives what it printed.

    ``spec`` is its standard input, one or several. An exit code that is none of ``answers`` is raised as the error
    that it stands for. Progress is shown on ``sys.stderr``.
    """
    given = None if spec is None else _json(spec)
    # A pipe would be full before anybody reads it.
    with _unnamed_file() as failure, _progress() as stderr:
        process = _start(["--failure-file", f"/dev/fd/{failure.fileno()}", *arguments], stderr, failure.fileno())
        try:
            text, _ = process.communicate(given)
        except BaseException:
            # Ctrl-C reaches the program as well, other interrupts do not; it takes the first.
            process.send_signal(signal.SIGINT)
            process.communicate()
            raise
        if process.returncode not in answers:
            raise _failure(process.returncode, failure.read())
        return text


def _unnamed_file() -> IO[str]:
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("failure"), encoding="utf-8")
    # It is slow to import.
    import tempfile

    return tempfile.TemporaryFile(mode="r", encoding="utf-8")


def _json(spec: object) -> str:
    try:
        return json.dumps(spec, default=os.fspath)
    except TypeError as error:
        raise SpecError(f"a spec has texts, numbers, lists and mappings: {error}") from error


def _start(arguments: Sequence[str], stderr: int | None, failure: int) -> subprocess.Popen[str]:
    program = find()
    try:
        return subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            pass_fds=(failure,),
            encoding="utf-8",
        )
    except OSError as error:
        raise not_started(program, error) from error


def not_started(program: str, error: OSError) -> MachineError:
    """What is said of a program that cannot be started."""
    return MachineError(f"cannot start {program}: {error.strerror}", _INSTALL)


def _failure(code: int, failure: str) -> BaseException:
    if code == _INTERRUPTED:
        return KeyboardInterrupt()
    error = BY_EXIT_CODE.get(code, InternalError)
    if not failure:
        return error(f"imagewright ended with {code}", "what it said is on standard error")
    told = json.loads(failure)
    message = "\n".join([told["message"], *(f"  because: {cause}" for cause in told["causes"])])
    return error(message, told["hint"])


@contextmanager
def _progress() -> Iterator[int | None]:
    """The file descriptor that progress goes to; None is the process's own standard error.

    In a notebook or a test ``sys.stderr`` is no file of the process: a thread hands its lines over.
    """
    to = sys.stderr
    if to is None or _is_own(to):
        yield None
        return
    read, write = os.pipe()

    def forward() -> None:
        with os.fdopen(read, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                to.write(line)

    thread = threading.Thread(target=forward, daemon=True)
    thread.start()
    try:
        yield write
    finally:
        os.close(write)
        thread.join()


def _is_own(to: IO[str]) -> bool:
    try:
        return to.fileno() == 2
    except (OSError, ValueError):
        return False
