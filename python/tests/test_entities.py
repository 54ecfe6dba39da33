"""What ``imagewright build file.py`` finds in a file: for each kind of entity the images that it leads to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Sequence

FLOWS = Path(__file__).with_name("entities.py")

#: Answers for several names of one file, which is imported once.
ASK = """
import json, sys
from pathlib import Path
from imagewright import _discover

found = {}
for name in sys.argv[2:]:
    images = _discover.images(Path(sys.argv[1]).resolve(), name.split(","), may_be_empty=True)
    found[name] = [image.spec.name for image in images]
print(json.dumps(found))
"""

EXPECTED = {
    "outer": ["nested"],
    "maps": ["mapped", "mapped-before"],
    "plan": ["planned"],
    "a_plan": ["planned"],
    "plans": ["planned"],
    "array_of_plans": ["planned"],
    "chooses": ["otherwise", "then"],
    "fails": ["failure"],
    "pods": ["overridden", "overriding-side", "primary", "side"],
    "raws": ["customized", "raw"],
    "templates": ["configured", "in-the-file"],
    "configured": ["configured"],
    "cached": ["cached"],
    "only_references": [],
    "outer,fails,nested": ["failure", "nested"],
}

#: In no task, so that nothing that runs leads to it.
OF_A_NODE = "overriding-side"


def ask(file: str, names: Sequence[str]) -> Dict[str, List[str]]:
    words = [sys.executable, "-c", ASK, file, *names]
    run = subprocess.run(words, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    found: Dict[str, List[str]] = json.loads(run.stdout)
    return {name: sorted(images) for name, images in found.items()}


def test_the_images_of_each_entity(project: Path) -> None:
    text = FLOWS.read_text().replace("REGISTRY", "localhost:1").replace("INDEX", "https://index.example/simple")
    (project / "flows.py").write_text(text)
    (project / "flytekit.config").write_text("[images]\nin_the_file = in-the-file.yaml\nunused = none.yaml\n")
    for name in ("configured", "in-the-file"):
        (project / f"{name}.yaml").write_text(f"name: {name}\n")
    found = ask("flows.py", [*EXPECTED, "knows_later", "is_eager"])
    every = sorted({image for images in EXPECTED.values() for image in images} | {"dynamic", "eager"})
    later = [image for image in every if image != OF_A_NODE]
    assert found == {**EXPECTED, "knows_later": later, "is_eager": later}


ENVIRONMENTS = """
import flyte

base = flyte.Image.from_debian_base(name="app", python_version=(3, 11), registry="localhost:1")
image = base.with_pip_packages("pluggy").with_code_bundle()
first = flyte.TaskEnvironment(name="the-first", image=image)
last = flyte.TaskEnvironment(
    name="the-last",
    image=base.with_env_vars({"A": "b"}).clone(name="last"),
    depends_on=[first, flyte.TaskEnvironment(name="same", image=image)],
)
mine = flyte.TaskEnvironment(
    name="mine", image=flyte.Image.from_ref_name("mine").clone(name="mine", extendable=True).with_env_vars({"A": "b"})
)
plain = flyte.TaskEnvironment(name="plain")
named = flyte.TaskEnvironment(name="named", image="registry.example/app:1")


@last.task
def fit() -> int:
    return 1
"""


def test_the_images_of_environments(project: Path) -> None:
    (project / "envs.py").write_text(ENVIRONMENTS)
    (project / ".flyte").mkdir()
    (project / ".flyte" / "config.yaml").write_text("image: {image_refs: {mine: 'registry.example/mine:1'}}\n")
    expected = {
        "last": ["app", "last"],
        "the-first": ["app"],
        "mine": ["mine"],
        "plain,named": [],
        "image": ["app"],
        "first,last,mine": ["app", "last", "mine"],
    }
    assert ask("envs.py", list(expected)) == expected
