"""The spec of an image: flytekit's ``ImageSpec``, without flytekit."""

from __future__ import annotations

import copy as copying
import dataclasses
import os
import re
import sys
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from . import _requests
from ._results import BuildResult, Plan

__all__ = ["CopyFileDetection", "ImageSpec"]

#: What a container of an image has in its environment: the id of the image's spec.
_IMAGE_ID = "_F_IMG_ID"

#: What Flyte sets in the container of an execution.
_EXECUTION = ("FLYTE_INTERNAL_EXECUTION_ID", "FLYTE_INTERNAL_TASK_NAME")

#: Fields that do not change what is in an image, or are not known where its id is asked for.
_NOT_IN_ID = ("pip_secret_mounts", "builder", "runtime_packages")

_LISTS = (
    "packages",
    "conda_channels",
    "conda_packages",
    "apt_packages",
    "pip_extra_index_url",
    "entrypoint",
    "commands",
    "runtime_packages",
)

_Path = Union[str, "os.PathLike[str]"]

_REGISTRY = re.compile(r"^(localhost:\d{1,5}|([a-z\d\._-]+)(:\d{1,5})?)(/[\w\.-]+)*$")


class CopyFileDetection(Enum):
    """Which files of ``source_root`` are copied into an image; names and values are flytekit's."""

    #: The modules that are imported when the spec is used.
    LOADED_MODULES = 1
    #: All files.
    ALL = 2
    #: None.
    NO_COPY = 3

    def __eq__(self, other: object) -> bool:
        """Whether it is the same mode, also where the other is of flytekit's enumeration."""
        return isinstance(other, Enum) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(self.name)


if TYPE_CHECKING:
    from flytekit.image_spec.image_spec import ImageSpec as _Base
else:

    class _Base:
        """Is replaced by flytekit's class where flytekit is there, so that a spec of this package is one of flytekit."""


#: The names of images for which flytekit's builders gave another.
_real_names: Dict[str, str] = {}

#: What the program is asked of a spec.
_request: Callable[[Any], Dict[str, Any]] = _requests.request


#: What flytekit says for ``tag`` and ``name``.
_of_flytekit: Optional[Callable[[Any, str], str]] = None


def join_flytekit(
    image_spec: Any, real_names: Dict[str, str], request: Callable[[Any], Dict[str, Any]]
) -> None:
    """Makes :class:`ImageSpec` a subclass of flytekit's, whose engine fills ``real_names``.

    ``request`` also has what the image of a task needs besides.
    """
    global _real_names, _request, _of_flytekit
    _real_names, _request = real_names, request

    def of_flytekit(spec: Any, command: str) -> str:
        answer = image_spec.tag.func(spec) if command == "tag" else image_spec.image_name(spec)
        return str(answer)

    _of_flytekit = of_flytekit
    ImageSpec.__bases__ = (image_spec,)


@dataclass
class ImageSpec(_Base):  # type: ignore[misc]  # flytekit has no types for mypy
    """What is in a container image, and where it goes.

    Fields, defaults, :attr:`id` and :attr:`tag` are those of flytekit's class of this name, and wherever flytekit takes
    that, it takes this. A spec is not changed: the ``with_`` methods give a new one, and lists that it was made of are
    copied. Relative paths are relative to the working directory.

    >>> spec = ImageSpec(name="train", python_version="3.11", packages=["numpy"], registry="localhost:5000")
    >>> spec.with_packages("pandas").packages
    ['numpy', 'pandas']
    >>> spec.build().image  # doctest: +SKIP
    'localhost:5000/train:...'

    Where the image goes:

    - ``name``: name of the image, behind the registry.
    - ``registry``: registry, and path in it, that the image is pushed to: ``"ghcr.io/username"``. Without one it stays
      on this machine.
    - ``tag_format``: format of the tag; ``{spec_hash}`` stands for the hash.
    - ``registry_config``: Docker configuration file with the credentials to use.
    - ``platform``: ``"linux/arm64"``; several are joined with commas.
    - ``builder``: which builder makes the image; None is imagewright's own.

    What it is made on:

    - ``base_image``: name of an image, another spec, or ``"oci:DIR"``, ``"oci-archive:FILE"``, ``"docker-archive:FILE"``.
      Without one it is Debian.
    - ``python_version``: Python of the image, ``"3.12"``; without it that of the base, or of this interpreter.
    - ``python_exec``: Python of the base image that the packages are for.

    Packages:

    - ``packages``: Python packages, as requirements: ``["pandas", "numpy>=2"]``.
    - ``requirements``: path of a file of requirements.
    - ``pip_index``, ``pip_extra_index_url``: package indexes instead of, or besides, the default one.
    - ``pip_extra_args``: options of pip or uv.
    - ``pip_secret_mounts``: pairs of a file and the path where the build, but not the image, has it.
    - ``conda_packages``, ``conda_channels``: conda packages, and channels besides conda-forge.
    - ``apt_packages``: packages of the system.
    - ``runtime_packages``: packages that are installed when a container starts.
    - ``cuda``, ``cudnn``: of flytekit's envd builder; refused.

    Files, environment, commands:

    - ``copy``: files and folders that are copied below ``/root``.
    - ``source_root``, ``source_copy_mode``: folder whose files are copied to ``/root``, and which of them.
    - ``env``: environment variables.
    - ``commands``: commands that run at the end, as root.
    - ``entrypoint``: entry point; ``[]`` removes that of the base.

    - ``builder_options``, ``builder_config``: options of the builder, such as ``{"bytecode": False}``.

    Raises :class:`ValueError` for fields of the wrong type; what a field says is checked when it is used.
    """

    name: str = "flytekit"
    python_version: Optional[str] = None
    builder: Optional[str] = None
    source_root: Optional[str] = None
    env: Optional[Dict[str, str]] = None
    registry: Optional[str] = None
    packages: Optional[List[str]] = None
    conda_packages: Optional[List[str]] = None
    conda_channels: Optional[List[str]] = None
    requirements: Optional[str] = None
    apt_packages: Optional[List[str]] = None
    cuda: Optional[str] = None
    cudnn: Optional[str] = None
    base_image: Optional[Union[str, ImageSpec]] = None
    platform: Optional[str] = None
    pip_index: Optional[str] = None
    pip_extra_index_url: Optional[List[str]] = None
    pip_secret_mounts: Optional[List[Tuple[str, str]]] = None
    pip_extra_args: Optional[str] = None
    registry_config: Optional[str] = None
    entrypoint: Optional[List[str]] = None
    commands: Optional[List[str]] = None
    tag_format: Optional[str] = None
    source_copy_mode: Optional[CopyFileDetection] = None
    copy: Optional[List[str]] = None
    python_exec: Optional[str] = None
    runtime_packages: Optional[List[str]] = None
    builder_options: Optional[Dict[str, Any]] = None
    builder_config: Optional[Dict[str, Any]] = None

    def __post_init__(self) -> None:
        for name in _FIELDS:
            # A caller may change what it passed; the spec stays.
            setattr(self, name, copying.deepcopy(getattr(self, name)))
        self.name = self.name.lower()
        if self.registry:
            self.registry = self.registry.lower()
            if not _REGISTRY.match(self.registry):
                raise ValueError(
                    f"Invalid container registry name: '{self.registry}'.\n Expected formats:\n"
                    "- 'localhost:30000' (for local registries)\n"
                    "- 'ghcr.io/username' (for GitHub Container Registry)\n"
                    "- 'docker.io/username' (for docker hub)\n"
                )
        if self.platform is None:
            is_arm = os.uname().machine.lower() in ("arm64", "aarch64")
            is_local = (self.registry or "").startswith("localhost:")
            self.platform = "linux/arm64" if is_local and is_arm else "linux/amd64"
        if self.source_copy_mode is not None:
            # flytekit's own enumeration has the same names.
            self.source_copy_mode = CopyFileDetection[self.source_copy_mode.name]
        elif self.source_root is not None:
            self.source_copy_mode = CopyFileDetection.LOADED_MODULES
        self._check_types()
        # flytekit's engine takes no spec without one.
        self.builder = self.builder or "imagewright"
        self._is_force_push = _flag("FLYTE_FORCE_PUSH_IMAGE_SPEC")
        self._fast_fail = _flag("FLYTE_IMG_FAST_FAIL")
        # The spec keeps it when flytekit sets its source, as a task file that is executed in the image has it.
        fields = dataclasses.asdict(self, dict_factory=_set_fields)
        # Here and below: what a task file in a container does not need is imported where it is used.
        import base64
        import hashlib

        digest = hashlib.md5(repr(fields).encode(), usedforsecurity=False).digest()
        self._id = base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _check_types(self) -> None:
        for name in _LISTS:
            value = getattr(self, name)
            is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
            if value is not None and not is_list:
                raise ValueError(f"{name} must be a list of strings or None")
        if self.pip_secret_mounts is not None and not (
            isinstance(self.pip_secret_mounts, list)
            and all(
                isinstance(mount, tuple) and len(mount) == 2 and all(isinstance(part, str) for part in mount)
                for mount in self.pip_secret_mounts
            )
        ):
            raise ValueError("pip_secret_mounts must be a list of tuples of two strings or None")
        if self.builder_options is not None and not isinstance(self.builder_options, dict):
            raise ValueError("builder_options must be a dictionary or None")

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def id(self) -> str:
        """What tells this spec from others; a container of its image has it in ``_F_IMG_ID``.

        It is flytekit's: the base64 of the MD5 of the ``repr`` of the fields that are set.
        """
        return self._id

    @property
    def tag(self) -> str:
        """The tag of the image: flytekit's, which also depends on the contents of the files that it hashes."""
        return self._ask_name("tag")

    @tag.deleter
    def tag(self) -> None:
        """Nothing: it is never kept. flytekit's docker builder deletes it to see it made anew."""

    def image_name(self) -> str:
        """The name of the image with registry and tag; once flytekit has had it built, the name of what was built."""
        from . import _names

        built = _names.built(self)
        if built is not None:
            return built
        name = self._ask_name("name")
        return _real_names.get(name, name)

    def exist(self) -> Optional[bool]:
        """Whether the image is in its registry as this spec describes it; None where that is unknown.

        It is False too where an image has this tag and was made from other inputs.
        """
        import json

        answer = json.loads(self._ask("exists", "--json", answers=(0, 1, 4, 6)))["answer"]
        return None if answer == "unknown" else answer == "exists"

    def is_container(self) -> bool:
        """Whether this code runs in a container of this spec's image, so that what only it has can be imported.

        Where a Flyte execution runs in no image of a spec, it is False; on a laptop it is True, as flytekit has it.
        """
        image = os.environ.get(_IMAGE_ID)
        if image is not None:
            return image == self.id
        return not any(name in os.environ for name in _EXECUTION)

    @classmethod
    def from_env(cls, *, pinned_packages: Optional[List[str]] = None, **kwargs: Any) -> ImageSpec:
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
        return cls._read(path)

    @classmethod
    def from_script(cls, path: _Path) -> ImageSpec:
        """The spec that the header of a script describes: inline script metadata (PEP 723).

        ``requires-python`` and ``dependencies`` are its ``python_version`` and ``packages``; other fields are in
        ``[tool.imagewright]``.

        >>> ImageSpec.from_script("train.py").packages  # doctest: +SKIP
        ['pandas']
        """
        return cls._read(path)

    @classmethod
    def from_pyproject(
        cls, path: _Path = "pyproject.toml", *, extras: Sequence[str] = (), groups: Sequence[str] = ()
    ) -> ImageSpec:
        """The spec of what a project depends on, with some of its extras and dependency groups (PEP 621, PEP 735).

        Other fields are in ``[tool.imagewright]``.

        >>> ImageSpec.from_pyproject(extras=["gpu"]).packages  # doctest: +SKIP
        ['torch']
        """
        chosen = [f"--extra={extra}" for extra in extras] + [f"--group={group}" for group in groups]
        return cls._read(path, *chosen)

    def to_yaml(self) -> str:
        """The spec as YAML, which :meth:`from_yaml` and ``imagewright build`` read as the same spec.

        >>> print(ImageSpec(name="train", packages=["numpy"]).to_yaml())  # doctest: +SKIP
        name: train
        packages:
        - numpy
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

    def with_packages(self, packages: Union[str, List[str]]) -> ImageSpec:
        """The same spec with further Python packages.

        >>> ImageSpec(packages=["numpy"]).with_packages(["pandas"]).packages
        ['numpy', 'pandas']
        """
        return self._with("packages", packages)

    def with_apt_packages(self, apt_packages: Union[str, List[str]]) -> ImageSpec:
        """The same spec with further packages of the system.

        >>> ImageSpec().with_apt_packages("git").apt_packages
        ['git']
        """
        return self._with("apt_packages", apt_packages)

    def with_commands(self, commands: Union[str, List[str]]) -> ImageSpec:
        """The same spec with further commands, which run last.

        >>> ImageSpec(commands=["true"]).with_commands("date > /date").commands
        ['true', 'date > /date']
        """
        return self._with("commands", commands)

    def with_copy(self, src: Union[str, List[str]]) -> ImageSpec:
        """The same spec with further files or folders of the project, copied to ``/root``.

        >>> ImageSpec().with_copy("src").copy
        ['src']
        """
        return self._with("copy", src)

    def with_runtime_packages(self, runtime_packages: List[str]) -> ImageSpec:
        """The same spec with further packages that are installed when a container starts.

        >>> ImageSpec().with_runtime_packages(["rich"]).runtime_packages
        ['rich']
        """
        return self._with("runtime_packages", runtime_packages)

    def with_builder_options(self, builder_options: Dict[str, Any]) -> ImageSpec:
        """The same spec with further options of the builder; an option of a known name is replaced.

        >>> ImageSpec().with_builder_options({"commands": "separate"}).builder_options
        {'commands': 'separate'}
        """
        return dataclasses.replace(self, builder_options={**(self.builder_options or {}), **builder_options})

    def build(self, *, push: Optional[bool] = None, frozen: bool = False) -> BuildResult:
        """Builds the image unless it exists, and pushes it when the spec has a registry.

        ``push`` decides instead of ``FLYTE_PUSH_IMAGE_SPEC``; ``frozen`` fails where a lock would have to be made.
        Raises a subclass of :class:`ImagewrightError` for each kind of failure.
        """
        options = ["--json"]
        options += [] if push is None else ["--push" if push else "--no-push"]
        options += ["--force"] if self._is_force_push else []
        options += ["--frozen"] if frozen else []
        return BuildResult.parse(self._ask("build", *options))

    def lock(self) -> str:
        """The text of a lock: every input of the image, pinned."""
        return self._ask("lock", "--output", "-")

    def plan(self) -> Plan:
        """What a build would do: each layer, whether it is there, and why not."""
        return Plan.parse(self._ask("plan", "--json"))

    def dockerfile(self) -> str:
        """The Dockerfile that the docker builder makes of this spec."""
        return self._ask("dockerfile")

    @classmethod
    def _read(cls, path: _Path, *options: str) -> ImageSpec:
        import json

        from . import _program

        # Below a folder, what begins with a dash is no option.
        text = _program.call(["spec", os.path.join(os.curdir, path), "--format=json", *options])
        return cls._of(json.loads(text, parse_float=_number))

    @classmethod
    def _of(cls, fields: Dict[str, Any]) -> ImageSpec:
        base, mode, mounts = (fields.get(name) for name in ("base_image", "source_copy_mode", "pip_secret_mounts"))
        fields["base_image"] = cls._of(base) if isinstance(base, dict) else base
        fields["source_copy_mode"] = CopyFileDetection[mode] if mode else None
        fields["pip_secret_mounts"] = [(source, target) for source, target in mounts] if mounts else None
        return cls(**fields)

    def _ask(self, command: str, *options: str, answers: Sequence[int] = (0,)) -> str:
        from . import _program

        return _program.call([command, "-", *options], spec=_request(self), answers=answers)

    def _ask_name(self, command: str) -> str:
        from . import _names, _program
        from ._errors import MachineError

        asked = _request(self)
        _names.forget_builders(asked["spec"], self)
        try:
            return _program.call([command, "-"], spec=asked).rstrip("\n")
        except MachineError:
            # A container has no program. Cache policies of task files ask there too, and any answer does.
            if _IMAGE_ID not in os.environ or _of_flytekit is None:
                raise
            return _of_flytekit(self, command)

    def _with(self, name: str, values: Union[str, List[str]]) -> ImageSpec:
        more = [values] if isinstance(values, str) else values
        changes: Dict[str, Any] = {name: [*(getattr(self, name) or []), *more]}
        return dataclasses.replace(self, **changes)


_FIELDS = [field.name for field in dataclasses.fields(ImageSpec)]


def _set_fields(fields: List[Tuple[str, Any]]) -> Dict[str, Any]:
    return {name: value for name, value in fields if value is not None and name not in _NOT_IN_ID}


def _number(text: str) -> Union[float, str]:
    """A number of YAML is one to flytekit's id; but 3.10 is no version as a number."""
    return float(text) if repr(float(text)) == text else text


def _flag(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("true", "t", "1", "yes", "y", "on")
