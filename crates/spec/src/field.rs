use std::fmt;

/// A field of flytekit's `ImageSpec`, in the order of its declaration, which is that of the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "what each is for is in the table below, which `docs/spec.md` is checked against"
)]
pub enum Field {
    Name,
    PythonVersion,
    Builder,
    SourceRoot,
    Env,
    Registry,
    Packages,
    CondaPackages,
    CondaChannels,
    Requirements,
    AptPackages,
    Cuda,
    Cudnn,
    BaseImage,
    Platform,
    PipIndex,
    PipExtraIndexUrl,
    PipSecretMounts,
    PipExtraArgs,
    RegistryConfig,
    Entrypoint,
    Commands,
    TagFormat,
    SourceCopyMode,
    Copy,
    PythonExec,
    RuntimePackages,
    BuilderOptions,
    BuilderConfig,
}

/// What there is to know of a field; `docs/spec.md` says the same.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    /// Which one.
    pub field: Field,
    /// As it is written.
    pub name: &'static str,
    /// What it takes.
    pub takes: &'static str,
    /// What it does.
    pub about: &'static str,
    /// An example, in YAML.
    pub example: &'static str,
}

impl Field {
    /// What there is to know of it.
    pub fn info(self) -> &'static FieldInfo {
        &FIELDS[self as usize]
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        self.info().name
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const fn info(
    field: Field,
    name: &'static str,
    takes: &'static str,
    about: &'static str,
    example: &'static str,
) -> FieldInfo {
    FieldInfo { field, name, takes, about, example }
}

/// All fields, in order: the one table of them.
pub const FIELDS: &[FieldInfo] = &[
    info(Field::Name, "name", "a text", "Name of the image, behind the registry.", "name: training"),
    info(
        Field::PythonVersion,
        "python_version",
        "a text or a number",
        "Python of the image; without it that of the base, or 3.13. It is added to a base that does not have it.",
        "python_version: \"3.12\"",
    ),
    info(
        Field::Builder,
        "builder",
        "a text",
        "Which builder makes the image: `native`, also written `imagewright` or `default`; `docker` or `noop`, see \
         [Builders](#builders).",
        "builder: native",
    ),
    info(
        Field::SourceRoot,
        "source_root",
        "a path",
        "Folder whose files are copied to `/root`, see [Copies](#copies).",
        "source_root: .",
    ),
    info(
        Field::Env,
        "env",
        "a mapping of names to values",
        "Environment variables of the image.",
        "env: {LOG_LEVEL: info}",
    ),
    info(
        Field::Registry,
        "registry",
        "a text",
        "Registry, and path in it, that the image is pushed to.",
        "registry: ghcr.io/username",
    ),
    info(
        Field::Packages,
        "packages",
        "a list of texts",
        "Python packages, as requirements.",
        "packages: [pandas, \"numpy>=2\"]",
    ),
    info(
        Field::CondaPackages,
        "conda_packages",
        "a list of texts",
        "Conda packages.",
        "conda_packages: [gxx_linux-64]",
    ),
    info(
        Field::CondaChannels,
        "conda_channels",
        "a list of texts",
        "Conda channels besides `conda-forge`.",
        "conda_channels: [nvidia]",
    ),
    info(
        Field::Requirements,
        "requirements",
        "a path",
        "File of requirements, or the lock of a project: `uv.lock`, `poetry.lock` or `pylock.toml`, see [Locks of projects](#locks-of-projects).",
        "requirements: requirements.txt",
    ),
    info(
        Field::AptPackages,
        "apt_packages",
        "a list of texts",
        "Packages of the system, see [System packages](#system-packages).",
        "apt_packages: [git]",
    ),
    info(
        Field::Cuda,
        "cuda",
        "a text or a number",
        "Nothing: no builder but envd ever took it.",
        "cuda: \"12.1\"",
    ),
    info(
        Field::Cudnn,
        "cudnn",
        "a text or a number",
        "Nothing: no builder but envd ever took it.",
        "cudnn: \"8\"",
    ),
    info(
        Field::BaseImage,
        "base_image",
        "a text, or a mapping of ImageSpec's fields",
        "What the image is made on top of. Also `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`.",
        "base_image: debian:bookworm-slim",
    ),
    info(
        Field::Platform,
        "platform",
        "a text",
        "Platform of the image. Several are joined with commas.",
        "platform: linux/arm64",
    ),
    info(
        Field::PipIndex,
        "pip_index",
        "a text",
        "Package index to use instead of the default one.",
        "pip_index: https://index.example/simple",
    ),
    info(
        Field::PipExtraIndexUrl,
        "pip_extra_index_url",
        "a list of texts",
        "Further package indexes.",
        "pip_extra_index_url: [https://index.example/simple]",
    ),
    info(
        Field::PipSecretMounts,
        "pip_secret_mounts",
        "a list of pairs of texts",
        "Files and variables that are there during the build and not in the image, see [Secrets](#secrets).",
        "pip_secret_mounts: [[.netrc, /root/.netrc]]",
    ),
    info(
        Field::PipExtraArgs,
        "pip_extra_args",
        "a text",
        "Options of pip or uv, see [pip-options.md](pip-options.md).",
        "pip_extra_args: --pre",
    ),
    info(
        Field::RegistryConfig,
        "registry_config",
        "a path",
        "Docker configuration file with the credentials to use.",
        "registry_config: ci/config.json",
    ),
    info(
        Field::Entrypoint,
        "entrypoint",
        "a list of texts",
        "Entry point of the image; `[]` removes the base's.",
        "entrypoint: []",
    ),
    info(
        Field::Commands,
        "commands",
        "a list of texts",
        "Commands that run in the image, at the end, see [Commands](#commands).",
        "commands: [\"touch /opt/ready\"]",
    ),
    info(
        Field::TagFormat,
        "tag_format",
        "a text",
        "Format of the tag; `{spec_hash}` stands for the hash.",
        "tag_format: \"{spec_hash}-dev\"",
    ),
    info(
        Field::SourceCopyMode,
        "source_copy_mode",
        "a text",
        "Which files of `source_root` are copied: `ALL`, `LOADED_MODULES`, `NO_COPY`.",
        "source_copy_mode: NO_COPY",
    ),
    info(
        Field::Copy,
        "copy",
        "a list of texts",
        "Files and folders that are copied below `/root`, see [Copies](#copies).",
        "copy: [src/data.csv]",
    ),
    info(
        Field::PythonExec,
        "python_exec",
        "a text",
        "Python of the base image that the packages are for.",
        "python_exec: /usr/bin/python3",
    ),
    info(
        Field::RuntimePackages,
        "runtime_packages",
        "a list of texts",
        "Packages that are installed when a container starts, see [Packages at start](#packages-at-start).",
        "runtime_packages: [ruff]",
    ),
    info(
        Field::BuilderOptions,
        "builder_options",
        "a mapping of names to values",
        "Options of the native builder: `bytecode` (`true`), `commands` (`joined` or `separate`), `copy` (see [Copies](#copies)), `install_project` (see [Locks of projects](#locks-of-projects)), `layout`, `user`, `working_directory` (see [User and working directory](#user-and-working-directory)).",
        "builder_options: {bytecode: false}",
    ),
    info(
        Field::BuilderConfig,
        "builder_config",
        "a mapping of names to values",
        "Images that the docker builder takes its tools from, see [Builders](#builders).",
        "builder_config: {uv_image: example/uv}",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_fields() {
        for (index, info) in FIELDS.iter().enumerate() {
            assert_eq!(info.field as usize, index, "{}", info.name);
        }
        assert_eq!(FIELDS.len(), 29);
    }
}
