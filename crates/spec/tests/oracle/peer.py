"""Answers, for each line of JSON, with the identity that flytekit gives a spec.

A request has the working directory, the machine to pretend to be, and the spec as JSON or as YAML text. An
answer has the id and the tag, or the error.
"""

import json
import os
import sys

import yaml
from flytekit.constants import CopyFileDetection
from flytekit.image_spec import image_spec as module
from flytekit.image_spec.image_spec import ImageSpec


def from_json(fields):
    fields = dict(fields)
    if isinstance(fields.get("base_image"), dict):
        fields["base_image"] = from_json(fields["base_image"])
    if fields.get("source_copy_mode") is not None:
        fields["source_copy_mode"] = CopyFileDetection[fields["source_copy_mode"]]
    return ImageSpec(**with_tuples(fields))


def from_yaml(fields):
    fields = dict(fields)
    if isinstance(fields.get("base_image"), dict):
        fields["base_image"] = from_yaml(fields["base_image"])
    return ImageSpec(**with_tuples(fields))


def with_tuples(fields):
    if fields.get("pip_secret_mounts") is not None:
        fields["pip_secret_mounts"] = [tuple(pair) for pair in fields["pip_secret_mounts"]]
    return fields


def answer(request):
    os.chdir(request["directory"])
    module.platform.machine = lambda: request["machine"]
    if "json" in request:
        spec = from_json(json.loads(request["json"]))
    else:
        spec = from_yaml(yaml.safe_load(request["yaml"]))
    return {"id": spec.id, "tag": spec.tag}


def main():
    for line in sys.stdin:
        try:
            result = answer(json.loads(line))
        except Exception as error:  # the caller judges what flytekit refuses
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(result), flush=True)


main()
