"""``python -m imagewright`` is the program ``imagewright``, which reads Python files with this Python."""

import os
import sys

from ._errors import MachineError
from ._program import find, not_started


def main() -> None:
    os.environ.setdefault("IMAGEWRIGHT_PYTHON_PROGRAM", sys.executable)
    program = find()
    try:
        os.execvp(program, [program, *sys.argv[1:]])
    except OSError as error:
        raise not_started(program, error) from error


try:
    main()
except MachineError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
