"""``python -m imagewright`` is the program ``imagewright``, which reads Python files with this Python."""

import os
import sys

from ._program import find

program = find()
os.environ.setdefault("IMAGEWRIGHT_PYTHON_PROGRAM", sys.executable)
os.execv(program, [program, *sys.argv[1:]])
