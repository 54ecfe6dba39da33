"""All of flyte that is used and not promised: a flyte without it fails here, and says why."""

from __future__ import annotations

try:
    from flyte._build import ImageBuild
    from flyte._code_bundle._utils import copy_code_bundle_to_context
    from flyte._image import (
        _CREATE_FLYTE_USER_CMD as CREATE_USER,
    )
    from flyte._image import (
        AptPackages,
        CodeBundleLayer,
        Commands,
        CopyConfig,
        DockerIgnore,
        Env,
        PipPackages,
        PixiProject,
        PixiScript,
        PoetryProject,
        PythonWheels,
        Requirements,
        UVProject,
        UVScript,
        WorkDir,
    )
    from flyte._image import (
        _DockerLines as DockerLines,
    )
    from flyte._image import (
        _get_push_registry as push_registry,
    )
    from flyte._internal.imagebuild.utils import copy_files_to_context, get_and_list_dockerignore
    from flyte._logging import logger
    from flyte._secret import secrets_from_request
    from flyte._utils import parse_uv_script_file
except ImportError as error:
    from importlib.metadata import version

    raise ImportError(
        f"imagewright builds images for flyte 2.8 to 2.12, and flyte {version('flyte')} differs from those ({error}): "
        "install one of them, or a newer imagewright"
    ) from error

__all__ = [
    "CREATE_USER",
    "AptPackages",
    "CodeBundleLayer",
    "Commands",
    "CopyConfig",
    "DockerIgnore",
    "DockerLines",
    "Env",
    "ImageBuild",
    "PipPackages",
    "PixiProject",
    "PixiScript",
    "PoetryProject",
    "PythonWheels",
    "Requirements",
    "UVProject",
    "UVScript",
    "WorkDir",
    "copy_code_bundle_to_context",
    "copy_files_to_context",
    "get_and_list_dockerignore",
    "logger",
    "parse_uv_script_file",
    "push_registry",
    "secrets_from_request",
]
