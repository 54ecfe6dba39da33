"""``python -m imagewright`` is the program ``imagewright``."""

import os
import sys

from ._program import find

program = find()
os.execv(program, [program, *sys.argv[1:]])
