# Asks a project's build backend, as PEP 517 has it. The image's interpreter runs this with the folder of the build's
# environment and a file that says what to ask; it makes that a virtual environment, whose own interpreter goes on.
import importlib
import json
import os
import sys

script, environment, order = sys.argv
if sys.prefix != environment:
    import venv

    venv.create(environment, with_pip=False, symlinks=True)
    python = os.path.join(environment, "bin", "python")
    os.execv(python, [python, *sys.argv])

with open(order) as file:
    order = json.load(file)
os.chdir(order["project"])
# The backend is not to see this script, but folders of the project that it says it is in.
sys.path[0:1] = [os.path.abspath(folder) for folder in order["backend_path"]]
module, _, name = order["backend"].partition(":")
backend = importlib.import_module(module)
for part in filter(None, name.split(".")):
    backend = getattr(backend, part)
if order["wheel"]:
    answer = backend.build_wheel(order["answers"], {})
else:
    answer = getattr(backend, "get_requires_for_build_wheel", lambda settings: [])({})
with open(os.path.join(order["answers"], "answer.json"), "w") as file:
    json.dump(answer, file)
