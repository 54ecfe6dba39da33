"""Prints what flytekit makes of each block of its documentation, and of the YAML file of the same name.

The argument is the folder of both. For each name: the fields of the printed spec, its id and its tag, those of the
YAML file, and the fields in which the two differ.
"""

import dataclasses
import json
import pathlib
import runpy
import sys

import yaml
from flytekit.image_spec.image_spec import ImageSpec


def printed(file):
    values = runpy.run_path(str(file)).values()
    [spec] = [value for value in values if isinstance(value, ImageSpec)]
    return spec


def fields(spec):
    return {name: value for name, value in dataclasses.asdict(spec).items() if value is not None}


def identity(spec):
    return {"id": spec.id, "tag": spec.tag}


def answer(file):
    ours = ImageSpec(**yaml.safe_load(file.with_suffix(".yaml").read_text()))
    theirs = printed(file)
    both = (fields(ours), fields(theirs))
    differing = [name for name in both[0] | both[1] if both[0].get(name) != both[1].get(name)]
    return {
        "fields": fields(theirs),
        "printed": identity(theirs),
        "written": identity(ours),
        "differing": sorted(differing),
    }


folder = pathlib.Path(sys.argv[1])
print(json.dumps({file.stem: answer(file) for file in sorted(folder.glob("*.py"))}))
