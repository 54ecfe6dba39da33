"""Print the top-level modules of the installed distributions that can be imported, sorted."""

import importlib
import importlib.metadata
import os
import sys

modules = set()
for distribution in importlib.metadata.distributions():
    for file in distribution.files or []:
        first = file.parts[0]
        if len(file.parts) == 1 and first.endswith((".py", ".so")):
            modules.add(first.split(".")[0])
        elif len(file.parts) == 2 and file.name == "__init__.py":
            modules.add(first)

importable = set()
out = os.dup(1)
os.dup2(2, 1)
for module in sorted(modules):
    try:
        importlib.import_module(module)
        importable.add(module)
    except Exception as error:
        print(module, repr(error), file=sys.stderr)
os.write(out, "".join(f"{module}\n" for module in sorted(importable)).encode())
os._exit(0)
