"""The spec of an image: flytekit's ``ImageSpec``, without flytekit."""

from __future__ import annotations

import copy as copying
import os
import sys

from . import _fields, _identity, _requests, _variables
from ._checks import checked
from ._copy_mode import CopyFileDetection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass
    from typing import Any, Callable, Sequence, Union

    from flytekit.image_spec.image_spec import ImageSpec as _Base

    from ._results import BuildResult, Plan

    _Path = Union[str, os.PathLike[str]]
else:
    # `typing` is imported by nothing here: it takes as long as all of this package.
    from ._fields import dataclass

    # Who asks for the types of the fields finds them.
    Any = object

    class _Base:
        """Is replaced by flytekit's class where flytekit is there, so that a spec of this package is flytekit's."""


__all__ = ["CopyFileDetection", "ImageSpec"]

#: What a container of an image has in its environment: the id of the image's spec.
_IMAGE_ID = "_F_IMG_ID"

#: What Flyte sets in the container of an execution.
_EXECUTION = ("FLYTE_INTERNAL_EXECUTION_ID", "FLYTE_INTERNAL_TASK_NAME")

#: Fields that flytekit and its plugins set on a spec that was made.
_SET_BY_FLYTEKIT = ("source_root", "source_copy_mode", "base_image")

#: What the program is asked of a spec; with flytekit it is told what the image of a task needs besides.
_request: Callable[[Any], dict[str, Any]] = _requests.request

#: The module of that name, which asks flytekit, once flytekit is there.
_others: Any = None


def join_flytekit(others: Any, request: Callable[[Any], dict[str, Any]]) -> None:
    """Makes :class:`ImageSpec` a subclass of flytekit's."""
    global _request, _others
    _request, _others = request, others
    # While it has a base without fields: those that a newer flytekit may have are none that it can be made with.
    _ = ImageSpec.__dataclass_fields__
    ImageSpec.__bases__ = (others.ImageSpec,)


@dataclass
class ImageSpec(_Base):  # type: ignore[misc]  # flytekit has no types for mypy
    """What is in a container image, and where it goes.

    >>> spec = ImageSpec(name="train", python_version="3.11", packages=["numpy"], registry="localhost:5000")
    >>> spec.with_packages("pandas").packages
    ['numpy', 'pandas']
    >>> spec.build().image  # doctest: +SKIP
    'localhost:5000/train:Z68H0V_LTGwjMITQPgR_MQ'

    With flytekit it is the image of tasks, which ``pyflyte run``, ``register``, ``package`` and ``build`` make:

    >>> @task(container_image=spec)  # doctest: +SKIP
    ... def train() -> float: ...

    Fields, defaults, :attr:`id` and :attr:`tag` are those of flytekit's class of this name, and wherever flytekit takes
    that, it takes this. A spec is not changed: the ``with_`` methods and ``dataclasses.replace`` give a new one, and
    lists that it was made of are copied. Relative paths are relative to the working directory. A registry's credentials
    are those of ``docker login``.

    Where the image goes:

    - ``name``: name of the image, behind the registry.
    - ``registry``: registry, and path in it, that the image is pushed to: ``"ghcr.io/username"``. Without one it stays
      on this machine.
    - ``tag_format``: format of the tag, ``"{spec_hash}-dev"``; ``{spec_hash}`` stands for the hash.
    - ``registry_config``: Docker configuration file with the credentials to use.
    - ``platform``: ``"linux/arm64"``; several are joined with commas. Without it ``"linux/amd64"``.
    - ``builder``: which builder makes the image; None is imagewright's own.

    What it is made on:

    - ``base_image``: name of an image, another spec, or ``"oci:DIR"``, ``"oci-archive:FILE"`` or
      ``"docker-archive:FILE"``. Without one it is Debian.
    - ``python_version``: Python of the image, ``"3.12"``, which is added to a base without it. Without one it is that
      of the base, else of the interpreter that serializes a workflow, else 3.13.
    - ``python_exec``: Python of the base image that the packages are for, ``"/usr/bin/python3"``.

    Packages:

    - ``packages``: Python packages, as requirements: ``["pandas", "numpy>=2"]``.
    - ``requirements``: path of a file of requirements, or of a ``uv.lock``, ``poetry.lock`` or ``pylock.toml``.
    - ``pip_index``, ``pip_extra_index_url``: package indexes instead of, or besides, the default one.
    - ``pip_extra_args``: options of pip or uv, ``"--pre"``.
    - ``pip_secret_mounts``: pairs of a file, or a variable ``"env:NAME"``, and where the build, but not the image, has
      it: ``[(".netrc", "/root/.netrc")]``.
    - ``apt_packages``: packages of the system: ``["git"]``.
    - ``runtime_packages``: packages that are installed when a container starts.
    - ``conda_packages``, ``conda_channels``, ``cuda``, ``cudnn``: refused, but where another builder makes the image.

    Files, environment, commands:

    - ``copy``: files and folders below the working directory, copied to the same path below ``/root``.
    - ``source_root``, ``source_copy_mode``: folder whose files are copied to ``/root``, and which of them.
    - ``env``: environment variables: ``{"LOG_LEVEL": "info"}``.
    - ``commands``: commands that run at the end, as root: ``["touch /opt/ready"]``.
    - ``entrypoint``: entry point; ``[]`` removes that of the base.

    Options of the builder:

    - ``builder_options``: ``{"bytecode": False}`` does not compile packages, ``{"commands": "separate"}`` gives each
      command a layer, ``{"install_project": True}`` installs the project of a lock, too.
    - ``builder_config``: images that the docker builder takes its tools from.

    Raises :class:`ValueError` for fields of the wrong type. What a field says is checked when it is used; what fails
    then is a :class:`SpecError`, or another :class:`ImagewrightError`, whose ``hint`` says what to do about it.
    """

    name: str = "flytekit"
    python_version: str | None = None
    builder: str | None = None
    source_root: str | None = None
    env: dict[str, str] | None = None
    registry: str | None = None
    packages: list[str] | None = None
    conda_packages: list[str] | None = None
    conda_channels: list[str] | None = None
    requirements: str | None = None
    apt_packages: list[str] | None = None
    cuda: str | None = None
    cudnn: str | None = None
    base_image: str | ImageSpec | None = None
    platform: str | None = None
    pip_index: str | None = None
    pip_extra_index_url: list[str] | None = None
    pip_secret_mounts: list[tuple[str, str]] | None = None
    pip_extra_args: str | None = None
    registry_config: str | None = None
    entrypoint: list[str] | None = None
    commands: list[str] | None = None
    tag_format: str | None = None
    source_copy_mode: CopyFileDetection | None = None
    copy: list[str] | None = None
    python_exec: str | None = None
    runtime_packages: list[str] | None = None
    builder_options: dict[str, Any] | None = None
    builder_config: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self.__dict__.update(checked({name: getattr(self, name) for name in _FIELDS}))
        self._is_force_push = _variables.is_on(_variables.FORCE_PUSH)
        self._fast_fail = _variables.is_on(_variables.FAST_FAIL)
        # The spec keeps it when flytekit sets its source, as a task file that is executed in the image has it.
        self._id = _identity.of(self)

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: object) -> None:
            """Refuses what would make another image of a spec that has its id; another builder may do as it likes."""
            is_made = "_id" in vars(self) and self.builder == "imagewright"
            if is_made and not name.startswith("_") and name not in _SET_BY_FLYTEKIT:
                raise AttributeError(f"a spec is not changed: {_instead(name)}")
            super().__setattr__(name, value)

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def id(self) -> str:
        """What tells this spec from others; a container of its image has it in ``_F_IMG_ID``.

        It is flytekit's: the base64 of the MD5 of the ``repr`` of the fields that are set.

        >>> ImageSpec(name="train", packages=["numpy"]).id
        'D9Hgcye4LfhcAqZqR7lUDQ'
        """
        return self._id

    @property
    def tag(self) -> str:
        """The tag of the image: flytekit's, which also depends on the contents of the files that it hashes.

        >>> ImageSpec(name="train", packages=["numpy"]).tag
        'D9Hgcye4LfhcAqZqR7lUDQ'
        >>> ImageSpec(name="train", packages=["numpy"], tag_format="{spec_hash}-dev").tag
        '8ZWzp2VhPRHY1N5wXz55zw-dev'
        """
        return self._ask_name("tag")

    @tag.deleter
    def tag(self) -> None:
        """Nothing: it is never kept. flytekit's docker builder deletes it to see it made anew."""

    def image_name(self) -> str:
        """The name of the image with registry and tag; once flytekit has had it built, the name of what was built.

        >>> ImageSpec(name="train", packages=["numpy"], registry="ghcr.io/username").image_name()
        'ghcr.io/username/train:rgDiUx5rOMjsI7wvX3QgfA'
        """
        from . import _names

        built = _names.built(self)
        if built is not None:
            return built
        name = self._ask_name("image_name")
        return name if _others is None else str(_others.real_name(name))

    def exist(self) -> bool | None:
        """Whether the image is in its registry as this spec describes it; None where that is unknown.

        It is False too where an image has this tag and was made from other inputs. For an image of another builder
        that flytekit knows, the answer is flytekit's.

        >>> spec = ImageSpec(name="train", packages=["numpy"], registry="localhost:5000")
        >>> spec.exist()  # doctest: +SKIP
        False
        """
        if self._is_anothers():
            found: bool | None = _others.exist(self)
            return found
        import json

        answer = json.loads(self._ask("exists", "--json", answers=(0, 1, 4, 6)))["answer"]
        return None if answer == "unknown" else answer == "exists"

    def is_container(self) -> bool:
        """Whether this code runs in a container of this spec's image, so that what only it has can be imported.

        Where a Flyte execution runs in no image of a spec, it is False; on a laptop it is True, as flytekit has it.

        >>> image = ImageSpec(name="train", packages=["pandas"])
        >>> if image.is_container():  # doctest: +SKIP
        ...     import pandas
        """
        image = os.environ.get(_IMAGE_ID)
        if image is not None:
            return image == self.id
        return not any(name in os.environ for name in _EXECUTION)

    @classmethod
    def from_env(cls, *, pinned_packages: list[str] | None = None, **kwargs: Any) -> ImageSpec:
        """A spec with the Python of this environment, and with packages at the versions that this environment has.

        >>> import sys
        >>> ImageSpec.from_env(name="a").python_version == f"{sys.version_info.major}.{sys.version_info.minor}"
        True
        """
        from importlib.metadata import version

        if kwargs.get("python_version") is not None:
            raise ValueError(
                "python_version can not be used with `from_env` because it will be inferred from the environment"
            )
        kwargs["python_version"] = f"{sys.version_info.major}.{sys.version_info.minor}"
        pinned = [f"{package}=={version(package)}" for package in pinned_packages or []]
        kwargs["packages"] = [*(kwargs.get("packages") or []), *pinned]
        return cls(**kwargs)

    @classmethod
    def from_yaml(cls, path: _Path) -> ImageSpec:
        """The spec in a YAML file, as ``imagewright build`` and ``pyflyte --image`` read it.

        >>> ImageSpec.from_yaml("image.yaml").build()  # doctest: +SKIP
        """
        from . import _files

        return _files.read(cls, path)

    @classmethod
    def from_script(cls, path: _Path) -> ImageSpec:
        """The spec that the header of a script describes: inline script metadata (PEP 723).

        ``requires-python`` and ``dependencies`` are its ``python_version`` and ``packages``; other fields are in
        ``[tool.imagewright]``.

        >>> ImageSpec.from_script("train.py").packages  # doctest: +SKIP
        ['pandas']
        """
        from . import _files

        return _files.read(cls, path)

    @classmethod
    def from_pyproject(
        cls, path: _Path = "pyproject.toml", *, extras: Sequence[str] = (), groups: Sequence[str] = ()
    ) -> ImageSpec:
        """The spec of what a project depends on, with some of its extras and dependency groups (PEP 621, PEP 735).

        Other fields are in ``[tool.imagewright]``.

        >>> ImageSpec.from_pyproject(extras=["gpu"]).packages  # doctest: +SKIP
        ['torch']
        """
        from . import _files

        chosen = [f"--extra={extra}" for extra in extras] + [f"--group={group}" for group in groups]
        return _files.read(cls, path, *chosen)

    def to_yaml(self) -> str:
        """The spec as YAML, which :meth:`from_yaml` and ``imagewright build`` read as the same spec.

        >>> print(ImageSpec(name="train", packages=["numpy"]).to_yaml(), end="")
        name: train
        builder: imagewright
        packages:
          - numpy
        platform: linux/amd64
        """
        from . import _program

        return _program.call(["spec", "-", "--format=yaml"], spec=_requests.fields(self))

    def force_push(self) -> ImageSpec:
        """The same spec, whose image is built and pushed also where it exists.

        >>> ImageSpec(name="a").force_push() == ImageSpec(name="a")
        True
        """
        forced = copying.deepcopy(self)
        forced._is_force_push = True
        return forced

    def with_packages(self, packages: str | list[str]) -> ImageSpec:
        """The same spec with further Python packages.

        >>> ImageSpec(packages=["numpy"]).with_packages(["pandas"]).packages
        ['numpy', 'pandas']
        """
        return self._with("packages", packages)

    def with_apt_packages(self, apt_packages: str | list[str]) -> ImageSpec:
        """The same spec with further packages of the system.

        >>> ImageSpec().with_apt_packages("git").apt_packages
        ['git']
        """
        return self._with("apt_packages", apt_packages)

    def with_commands(self, commands: str | list[str]) -> ImageSpec:
        """The same spec with further commands, which run last.

        >>> ImageSpec(commands=["true"]).with_commands("date > /date").commands
        ['true', 'date > /date']
        """
        return self._with("commands", commands)

    def with_copy(self, src: str | list[str]) -> ImageSpec:
        """The same spec with further files or folders of the project, copied to ``/root``.

        >>> ImageSpec().with_copy("src").copy
        ['src']
        """
        return self._with("copy", src)

    def with_runtime_packages(self, runtime_packages: list[str]) -> ImageSpec:
        """The same spec with further packages that are installed when a container starts.

        >>> ImageSpec().with_runtime_packages(["rich"]).runtime_packages
        ['rich']
        """
        return self._with("runtime_packages", runtime_packages)

    def with_builder_options(self, builder_options: dict[str, Any]) -> ImageSpec:
        """The same spec with further options of the builder; an option of a known name is replaced.

        >>> ImageSpec().with_builder_options({"commands": "separate"}).builder_options
        {'commands': 'separate'}
        """
        return _fields.replace(self, builder_options={**(self.builder_options or {}), **builder_options})

    def build(
        self, *, push: bool | None = None, lock: _Path | None = None, frozen: bool = False
    ) -> BuildResult:
        """Builds the image unless it exists, and pushes it when the spec has a registry.

        ``push`` decides instead of ``FLYTE_PUSH_IMAGE_SPEC``. ``lock`` is a file with what :meth:`lock` gave, which the
        image is made of as far as it goes; with ``frozen`` it has to go all the way.
        Raises a subclass of :class:`ImagewrightError` for each kind of failure.

        >>> spec = ImageSpec(name="train", packages=["numpy"], registry="localhost:5000")
        >>> built = spec.build()  # doctest: +SKIP
        >>> built.status, built.image, built.digest  # doctest: +SKIP
        ('built', 'localhost:5000/train:9BXIBb0rJK9YKlv5kgY8XQ', 'sha256:...')
        >>> spec.build(lock="image.lock", frozen=True).status  # doctest: +SKIP
        'exists'
        """
        from ._results import BuildResult

        if push is None and not _variables.pushes():
            push = False
        options = ["--json"]
        options += [] if push is None else ["--push" if push else "--no-push"]
        options += ["--force"] if self._is_force_push else []
        options += [] if lock is None else [f"--lock={os.fspath(lock)}"]
        options += ["--frozen"] if frozen else []
        return BuildResult.parse(self._ask("build", *options))

    def lock(self) -> str:
        """The text of a lock: every input of the image, pinned. :meth:`build` takes a file with it.

        >>> from pathlib import Path
        >>> Path("image.lock").write_text(ImageSpec(packages=["numpy"]).lock())  # doctest: +SKIP
        """
        return self._ask("lock", "--output", "-")

    def plan(self) -> Plan:
        """What a build would do: each layer, whether it is there, and why not.

        >>> for layer in ImageSpec(packages=["numpy"]).plan().platforms[0]["layers"]:  # doctest: +SKIP
        ...     print(layer["state"], layer["title"])
        hit Debian bookworm userland (87 packages)
        miss numpy 2.2.3
        """
        from ._results import Plan

        return Plan.parse(self._ask("plan", "--json"))

    def dockerfile(self) -> str:
        """The Dockerfile that the docker builder makes of this spec.

        What it needs beside it is told; ``imagewright dockerfile -o DIR`` writes that, too.

        >>> spec = ImageSpec(base_image="python:3.11-slim", packages=["numpy"])
        >>> print(spec.dockerfile())  # doctest: +SKIP
        FROM ghcr.io/astral-sh/uv:0.9 AS uv
        <BLANKLINE>
        FROM python:3.11-slim
        ...
        """
        return self._ask("dockerfile")

    def _ask(self, command: str, *options: str, answers: Sequence[int] = (0,)) -> str:
        from . import _program

        return _program.call([command, "-", *options], spec=self._asked(), answers=answers)

    def _asked(self) -> dict[str, Any]:
        from . import _names

        asked = _request(self)
        if _others is not None:
            _names.name_others(asked["spec"], self, _others)
        return asked

    def _ask_name(self, what: str) -> str:
        from . import _names, _program
        from ._errors import ImagewrightError, MachineError

        if self._is_anothers():
            return str(getattr(_others, what)(self))
        asked = self._asked()
        _names.forget_builders(asked["spec"])
        command = "name" if what == "image_name" else what
        try:
            return _program.call([command, "-"], spec=asked).rstrip("\n")
        except ImagewrightError as error:
            # A container has no program. Cache policies of task files ask there too, and any answer does.
            is_container = any(name in os.environ for name in (_IMAGE_ID, *_EXECUTION))
            if isinstance(error, MachineError) and is_container and _others is not None:
                return str(getattr(_others, what)(self))
            # What led to it is shown above what the user can do about it.
            raise error.with_traceback(None) from error.__cause__

    def _is_anothers(self) -> bool:
        """Whether the image is made by another builder that flytekit knows: what it is called is flytekit's affair."""
        return _others is not None and _others.makes(self)

    def _with(self, name: str, values: str | list[str]) -> ImageSpec:
        more = [values] if isinstance(values, str) else values
        changes: dict[str, Any] = {name: [*(getattr(self, name) or []), *more]}
        return _fields.replace(self, **changes)


_FIELDS = tuple(_fields.names(ImageSpec))


def _instead(name: str) -> str:
    """How to come by a spec with another value."""
    if hasattr(ImageSpec, f"with_{name}"):
        return f"spec.with_{name}(...) gives a new one"
    if name in _FIELDS:
        return f"dataclasses.replace(spec, {name}=...) gives a new one"
    return f"ImageSpec has no field `{name}`"
