"""The layers of a ``flyte.Image``, each in the words of ImageSpec; what they mean, the program knows."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence, Set

from . import _flyte_lock, _flyte_names
from ._errors import SpecError

if TYPE_CHECKING:
    from flyte import Image

#: What is done to an image: some of ImageSpec's fields.
Fields = Dict[str, Any]

#: The user that flyte makes in Debian's image, and the folder that tasks of such an image start in.
_USER, _HOME = "flyte", "/home/flyte"

#: What wheels that are not for every machine are for, in their names.
_MACHINES = ("x86_64", "aarch64")

#: Where flyte's builder looks for a secret that no variable has.
_SECRETS = "/etc/secrets"


def layers(image: Image, folder: Path) -> List[Fields]:
    """What is done to the base, in order. What is copied into the image is put into ``folder``."""
    if image.dockerfile is not None:
        raise SpecError(
            f"{image.uri} is made by {image.dockerfile}, and imagewright makes images without Docker",
            "say what it does with the methods of flyte.Image; or build it with Docker, by flyte's builder `local` or "
            "into a registry, where Image.from_base takes it",
        )
    if not image.base_image:
        raise SpecError(
            f"{image.uri} has no base image",
            "start from Image.from_base or Image.from_debian_base, or name the reference in flyte's configuration",
        )
    staging = _Staging(folder, _flyte_names.get_and_list_dockerignore(image))
    done = [fields for layer in image._layers for fields in _layer(layer, staging)]
    is_users = any("user" in fields.get("builder_options", {}) for fields in done)
    if is_users and _working_directory(done) != _HOME:
        # flyte's own builder ends with it: the user may write there.
        done.append(_started_in(_HOME))
    return done


def _layer(layer: Any, staging: _Staging) -> Iterator[Fields]:
    if isinstance(layer, _flyte_names.Requirements):
        yield {"requirements": _path(layer.file), **_pip(layer)}
    elif isinstance(layer, _flyte_names.PipPackages):
        if layer.packages:
            yield {"packages": list(layer.packages), **_pip(layer)}
    elif isinstance(layer, _flyte_names.UVScript):
        yield from _script(layer, staging)
    elif isinstance(layer, _flyte_names.UVProject):
        yield _uv_project(layer, staging)
    elif isinstance(layer, _flyte_names.PoetryProject):
        yield _poetry_project(layer, staging)
    elif isinstance(layer, _flyte_names.PythonWheels):
        yield _wheels(layer)
    elif isinstance(layer, _flyte_names.AptPackages):
        if layer.packages:
            yield {"apt_packages": list(layer.packages), **_secrets(layer)}
    elif isinstance(layer, _flyte_names.Commands):
        yield from _commands(layer)
    elif isinstance(layer, _flyte_names.Env):
        yield {"env": dict(layer.env_vars)}
    elif isinstance(layer, _flyte_names.WorkDir):
        yield _started_in(layer.workdir)
    elif isinstance(layer, _flyte_names.CopyConfig):
        yield _copied(staging.add(layer.src, layer.dst), layer.dst)
    elif isinstance(layer, _flyte_names.CodeBundleLayer):
        yield _copied(staging.add_code(layer), layer.dst)
    elif isinstance(layer, _flyte_names.DockerIgnore):
        # What it says is done to what is copied.
        if not Path(layer.path).is_file():
            raise SpecError(f"the .dockerignore file {layer.path} of with_dockerignore() is not there")
    elif isinstance(layer, _flyte_names.DockerLines):
        _check_lines(layer.lines)
    elif isinstance(layer, (_flyte_names.PixiProject, _flyte_names.PixiScript)):
        raise SpecError(
            f"imagewright does not install {_pixi_file(layer)} yet: pixi is to come, with conda's packages",
            "until then take what is on PyPI by with_pip_packages, what Debian has by with_apt_packages, or "
            "Image.from_base with an image that has the environment; or build it by flyte's builder `local`",
        )
    else:
        raise SpecError(
            f"imagewright does not know the layer {type(layer).__name__} of this version of flyte",
            "build this image by flyte's builder `local`",
        )


def _commands(layer: Any) -> Iterator[Fields]:
    commands: List[str] = []
    for command in layer.commands:
        if command != _flyte_names.CREATE_USER:
            commands.append(command)
            continue
        if commands:
            yield {"commands": commands, **_secrets(layer)}
        commands = []
        # It is known what this does, so nothing has to be executed for it.
        yield {"builder_options": {"user": _USER}}
    if commands:
        yield {"commands": commands, **_secrets(layer)}


def _script(layer: Any, staging: _Staging) -> Iterator[Fields]:
    """What the header of a script asks for; projects that it names by ``file://`` are installed from their folders."""
    header = _flyte_names.parse_uv_script_file(layer.script)
    if header.dependencies:
        yield {"packages": list(header.dependencies), **_pip(layer)}
    for folder in map(Path, header.pyprojects):
        lock = folder / "uv.lock"
        project = _flyte_names.UVProject(
            pyproject=folder / "pyproject.toml",
            uvlock=lock if lock.exists() else None,
            project_install_mode="install_project",
            secret_mounts=layer.secret_mounts,
            pre=layer.pre,
            extra_args=layer.extra_args,
        )
        yield _uv_project(project, staging)


def _uv_project(layer: Any, staging: _Staging) -> Fields:
    fields = {**_installs_project(layer), **_pip(layer)}
    if _is_beside(layer.uvlock, layer.pyproject, "uv.lock"):
        lock = layer.uvlock
    else:
        lock = staging.add_project(layer) / "uv.lock"
        if layer.uvlock is not None:
            shutil.copy(layer.uvlock, lock)
        else:
            _flyte_names.logger.warning(
                f"{layer.pyproject} has no uv.lock beside it: its packages are resolved now. `uv lock` in the project "
                "keeps what they are."
            )
            _flyte_lock.lock(layer, lock.parent, fields.get("pip_secret_mounts", ()))
    arguments = shlex.split(fields.get("pip_extra_args", ""))
    if "--no-dev" not in arguments:
        # uv's own default; in a spec the group is left out, as in flytekit.
        fields["pip_extra_args"] = " ".join([*filter(None, [fields.get("pip_extra_args")]), "--dev"])
    return {"requirements": _path(lock), **fields}


def _poetry_project(layer: Any, staging: _Staging) -> Fields:
    lock = layer.poetry_lock
    if not _is_beside(lock, layer.pyproject, "poetry.lock"):
        lock = staging.add_project(layer) / "poetry.lock"
        shutil.copy(layer.poetry_lock, lock)
    arguments = {"pip_extra_args": layer.extra_args} if layer.extra_args else {}
    return {"requirements": _path(lock), **_installs_project(layer), **arguments, **_secrets(layer)}


def _is_beside(lock: Optional[Path], pyproject: Path, name: str) -> bool:
    return lock is not None and lock.name == name and lock.parent.resolve() == pyproject.parent.resolve()


def _installs_project(layer: Any) -> Fields:
    return {"builder_options": {"install_project": True}} if _is_installed(layer) else {}


def _is_installed(layer: Any) -> bool:
    return bool(layer.project_install_mode == "install_project")


def _wheels(layer: Any) -> Fields:
    """The newest wheel of a package in a folder; what it depends on may be there, too."""
    from packaging.utils import canonicalize_name, parse_wheel_filename

    found = []
    for path in sorted(layer.wheel_dir.glob("*.whl")):
        name, version, _, tags = parse_wheel_filename(path.name)
        if name == canonicalize_name(layer.package_name):
            found.append((version, path, tags))
    if not found:
        raise SpecError(f"no wheel of {layer.package_name} is in {layer.wheel_dir}", "build it first")
    newest = max(version for version, _, _ in found)
    wheels = [(path, {tag.platform for tag in tags}) for version, path, tags in found if version == newest]
    fields = _pip(layer)
    links = f"--find-links {shlex.quote(_path(layer.wheel_dir))}"
    fields["pip_extra_args"] = " ".join([*filter(None, [fields.get("pip_extra_args")]), links])
    return {"packages": [_wheel(layer.package_name, path, platforms) for path, platforms in wheels], **fields}


def _wheel(package: str, path: Path, platforms: Set[str]) -> str:
    machines = {machine for machine in _MACHINES for platform in platforms if platform.endswith(f"_{machine}")}
    if not machines:
        return _path(path)
    marker = " or ".join(f"platform_machine == '{machine}'" for machine in sorted(machines))
    return f"{package} @ {path.resolve().as_uri()} ; {marker}"


def _check_lines(lines: Sequence[str]) -> None:
    for line in lines:
        if not line.startswith("LABEL "):
            raise SpecError(
                f"`{line}` is of a Dockerfile, and imagewright makes images without Docker",
                "say the same with the methods of flyte.Image",
            )


def _pixi_file(layer: Any) -> str:
    return str(layer.script if isinstance(layer, _flyte_names.PixiScript) else layer.manifest)


def _pip(options: Any) -> Fields:
    arguments = ["--pre"] if options.pre else []
    arguments += [options.extra_args] if options.extra_args else []
    fields: Fields = {
        "pip_index": options.index_url,
        "pip_extra_index_url": list(options.extra_index_urls or ()),
        "pip_extra_args": " ".join(arguments),
    }
    return {**{name: value for name, value in fields.items() if value}, **_secrets(options)}


def _secrets(layer: Any) -> Fields:
    if not layer.secret_mounts:
        return {}
    secrets = _flyte_names.secrets_from_request(list(layer.secret_mounts))
    return {"pip_secret_mounts": [_secret(secret) for secret in secrets]}


def _secret(secret: Any) -> List[str]:
    """Where flyte's builder finds a secret, and where it puts it."""
    parts = [part for part in (secret.group, secret.key) if part]
    variable = "_".join(parts).upper()
    source = f"env:{variable}" if os.environ.get(variable) else f"{_SECRETS}/{'_'.join(parts)}"
    target = str(secret.mount) if secret.mount else f"env:{secret.as_env_var}"
    return [source, target]


def _copied(source: str, destination: str) -> Fields:
    return {"builder_options": {"copy": [{"source": source, "destination": destination}]}}


def _started_in(folder: str) -> Fields:
    return {"builder_options": {"working_directory": folder}}


def _working_directory(done: Sequence[Fields]) -> Optional[str]:
    last = None
    for fields in done:
        last = fields.get("builder_options", {}).get("working_directory", last)
    return last


def _path(path: Path) -> str:
    """Below the working directory as seen from there, so that no image depends on where a project is."""
    absolute = Path(os.path.abspath(path))
    try:
        return str(absolute.relative_to(Path.cwd()))
    except ValueError:
        return str(absolute)


class _Staging:
    """A folder with all that is copied into the image, less what flyte leaves out, each by its own name."""

    def __init__(self, folder: Path, ignored: List[str]) -> None:
        self._folder = folder
        self._context = folder / ".context"
        self._ignored = ignored
        self._names: List[str] = []

    def add(self, source: Path, destination: str) -> str:
        """Copies a file or folder of the user's, as flyte does for Docker; its name here.

        A file keeps its own name. A folder has none of its own in the image; what it is called on this machine, in
        which a checkout may have any name, makes no other image.
        """
        copied = _flyte_names.copy_files_to_context(source, self._context, self._ignored)
        name = source.name if source.is_file() else os.path.basename(os.path.normpath(destination))
        return self._named(name, copied)

    def add_code(self, layer: Any) -> str:
        """Copies the code that a layer is about; its name here."""
        if layer.root_dir is None:
            raise SpecError("flyte did not say where the code is that with_code_bundle() copies")
        copied = _flyte_names.copy_code_bundle_to_context(layer.root_dir, layer.copy_style, self._context)
        return self._named(".", copied)

    def add_project(self, layer: Any) -> Path:
        """Copies a project, or its description where no more is installed; the folder here."""
        source = layer.pyproject.parent if _is_installed(layer) else layer.pyproject
        copied = _flyte_names.copy_files_to_context(source, self._context, self._ignored)
        folder = self._folder / self._named("project", copied if _is_installed(layer) else copied.parent)
        # It may have been left out.
        shutil.copy(layer.pyproject, folder)
        return folder

    def _named(self, name: str, copied: Path) -> str:
        name = "code" if name in ("", ".", "..") else name
        while name in self._names:
            name += "-"
        self._names.append(name)
        # A folder in which everything is left out was not made.
        if not copied.exists():
            copied.mkdir(parents=True)
        os.rename(copied, self._folder / name)
        shutil.rmtree(self._context, ignore_errors=True)
        return name
