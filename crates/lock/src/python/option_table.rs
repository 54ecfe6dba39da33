//! What becomes of each install option of pip and of uv. docs/pip-options.md and messages follow this table.

/// One option.
#[derive(Debug)]
pub(super) struct Row {
    /// Its spellings.
    pub(super) names: &'static [&'static str],
    /// Whether a value follows it.
    pub(super) takes_value: bool,
    pub(super) effect: Effect,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    DefaultIndex,
    AdditionalIndex,
    FindLinks,
    NoIndex,
    InsecureHost,
    Certificates,
    Proxy,
    Requirements,
    Constraints,
    Overrides,
    RequireHashes,
    IgnoreInstalled,
    Keyring,
    OnlyBinary,
    /// uv gets this option, and the value where there is one.
    Uv(&'static str),
    /// uv gets this option with this value.
    UvFixed(&'static str, &'static str),
    /// Nothing, and the user is told why.
    Nothing(&'static str),
    /// It contradicts what an image is, or needs what is not there.
    Refused(&'static str),
}

impl Effect {
    /// Whether it means nothing without a value.
    pub(super) fn needs_value(self) -> bool {
        matches!(self, Self::Uv(_) | Self::Overrides)
    }

    /// Whether the value is a package index.
    pub(super) fn is_index(self) -> bool {
        matches!(self, Self::DefaultIndex | Self::AdditionalIndex)
    }
}

const fn flag(names: &'static [&'static str], effect: Effect) -> Row {
    Row { names, takes_value: false, effect }
}

const fn with_value(names: &'static [&'static str], effect: Effect) -> Row {
    Row { names, takes_value: true, effect }
}

const ELSEWHERE: &str = "packages go to the image's environment, not elsewhere";
const OTHER_TARGET: &str = "the target is the spec's `platform` and `python_version`";
const WHEELS_FIRST: &str = "a wheel is taken wherever there is one";
const OWN_BUILD: &str = "each build follows PEP 517, in an environment of its own";
const BACKEND: &str = "what build backends may be told is not passed on";
const FRESH: &str = "what the last lock has is kept; `imagewright lock --upgrade` or `--refresh` takes the newest allowed versions";
const OUR_CACHE: &str = "files are kept in imagewright's own store";
const OUR_OUTPUT: &str = "imagewright has its own output";
const OUR_BYTECODE: &str = "`bytecode` in `builder_options` says whether bytecode is made";
const NOT_A_RUN: &str = "pip itself does not run";

/// The options of `pip install` (26.0) and of `uv pip install`, sorted by what becomes of them.
pub(super) const OPTIONS: &[Row] = &[
    with_value(&["--index-url", "-i", "--pypi-url", "--default-index"], Effect::DefaultIndex),
    with_value(&["--extra-index-url", "--index"], Effect::AdditionalIndex),
    with_value(&["--find-links", "-f"], Effect::FindLinks),
    flag(&["--no-index"], Effect::NoIndex),
    with_value(&["--trusted-host", "--allow-insecure-host"], Effect::InsecureHost),
    with_value(&["--cert"], Effect::Certificates),
    with_value(&["--proxy"], Effect::Proxy),
    with_value(&["--keyring-provider"], Effect::Keyring),
    with_value(&["--requirement", "-r", "--requirements"], Effect::Requirements),
    with_value(&["--constraint", "-c", "--constraints"], Effect::Constraints),
    with_value(&["--override", "--overrides"], Effect::Overrides),
    flag(&["--require-hashes"], Effect::RequireHashes),
    with_value(&["--only-binary"], Effect::OnlyBinary),
    flag(&["--no-build"], Effect::OnlyBinary),
    flag(&["--ignore-installed", "-I", "--force-reinstall", "--reinstall"], Effect::IgnoreInstalled),
    // Passed on, some under uv's name.
    flag(&["--no-deps", "--no-dependencies"], Effect::Uv("--no-deps")),
    flag(&["--pre"], Effect::UvFixed("--prerelease", "allow")),
    with_value(&["--prerelease"], Effect::Uv("--prerelease")),
    with_value(&["--resolution"], Effect::Uv("--resolution")),
    with_value(&["--index-strategy"], Effect::Uv("--index-strategy")),
    with_value(&["--exclude-newer", "--uploaded-prior-to"], Effect::Uv("--exclude-newer")),
    with_value(&["--exclude-newer-package"], Effect::Uv("--exclude-newer-package")),
    with_value(&["--torch-backend"], Effect::Uv("--torch-backend")),
    with_value(&["--fork-strategy"], Effect::Uv("--fork-strategy")),
    flag(&["--offline"], Effect::Uv("--offline")),
    flag(&["--native-tls", "--system-certs"], Effect::Nothing("the system's certificates are always used")),
    // Without effect.
    flag(&["--upgrade", "-U"], Effect::Nothing(FRESH)),
    with_value(
        &["--upgrade-strategy", "--upgrade-package", "-P", "--reinstall-package"],
        Effect::Nothing(FRESH),
    ),
    flag(&["--exact", "--strict", "--no-upgrade"], Effect::Nothing(FRESH)),
    flag(&["--no-cache-dir", "--no-cache", "-n", "--refresh"], Effect::Nothing(OUR_CACHE)),
    with_value(&["--cache-dir", "--refresh-package", "--link-mode"], Effect::Nothing(OUR_CACHE)),
    flag(&["--break-system-packages", "--system", "--no-break-system-packages"], Effect::Nothing(ELSEWHERE)),
    with_value(&["--root-user-action"], Effect::Nothing(ELSEWHERE)),
    flag(&["--prefer-binary"], Effect::Nothing(WHEELS_FIRST)),
    flag(
        &[
            "--no-build-isolation",
            "--use-pep517",
            "--no-use-pep517",
            "--check-build-dependencies",
            "--no-clean",
        ],
        Effect::Nothing(OWN_BUILD),
    ),
    with_value(
        &[
            "--config-settings",
            "--config-setting",
            "-C",
            "--global-option",
            "--build-option",
            "--build-constraint",
            "--build-constraints",
            "-b",
            "--no-build-isolation-package",
            "--src",
        ],
        Effect::Nothing(BACKEND),
    ),
    flag(
        &["--compile", "--no-compile", "--compile-bytecode", "--no-compile-bytecode"],
        Effect::Nothing(OUR_BYTECODE),
    ),
    flag(
        &["--quiet", "-q", "--verbose", "-v", "--no-color", "--no-progress", "--debug"],
        Effect::Nothing(OUR_OUTPUT),
    ),
    with_value(&["--progress-bar", "--log", "--color"], Effect::Nothing(OUR_OUTPUT)),
    flag(
        &[
            "--disable-pip-version-check",
            "--no-input",
            "--isolated",
            "--require-virtualenv",
            "--no-warn-script-location",
            "--no-warn-conflicts",
            "--no-python-version-warning",
            "--verify-hashes",
            "--no-config",
        ],
        Effect::Nothing(NOT_A_RUN),
    ),
    with_value(
        &[
            "--timeout",
            "--retries",
            "--resume-retries",
            "--exists-action",
            "--use-feature",
            "--use-deprecated",
        ],
        Effect::Nothing(NOT_A_RUN),
    ),
    // Refused.
    with_value(&["--target", "-t", "--root", "--prefix", "--python", "-p"], Effect::Refused(ELSEWHERE)),
    flag(&["--user"], Effect::Refused(ELSEWHERE)),
    with_value(
        &["--platform", "--python-platform", "--python-version", "--implementation", "--abi"],
        Effect::Refused(OTHER_TARGET),
    ),
    with_value(&["--editable", "-e"], Effect::Refused("name the project in `packages` or `requirements`")),
    with_value(&["--no-binary"], Effect::Refused(WHEELS_FIRST)),
    flag(&["--ignore-requires-python"], Effect::Refused("the package says that it does not run there")),
    flag(&["--no-verify-hashes"], Effect::Refused("a hash that is written is checked")),
    flag(&["--dry-run"], Effect::Refused("`imagewright lock` shows what would be installed")),
    with_value(&["--report"], Effect::Refused("`imagewright lock` writes what would be installed")),
    with_value(
        &["--group", "--requirements-from-script", "--extra"],
        Effect::Refused("name the packages in `packages` or `requirements`"),
    ),
    with_value(
        &["--client-cert", "--config-file"],
        Effect::Refused("set it in uv's or pip's configuration of this machine"),
    ),
];

/// The row of an option by any of its spellings.
pub(super) fn row(name: &str) -> Option<&'static Row> {
    OPTIONS.iter().find(|row| row.names.contains(&name))
}

/// The spelling that is nearest to a mistyped one.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let names = OPTIONS.iter().flat_map(|row| row.names.iter().copied()).filter(|it| it.starts_with("--"));
    imagewright_spec::nearest(name, names)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What the documentation says of an effect: the kind, and what happens.
    fn told(effect: Effect) -> (&'static str, String) {
        let (kind, text) = match effect {
            Effect::DefaultIndex => ("mapped", "the index, instead of the default one"),
            Effect::AdditionalIndex => ("mapped", "one more index"),
            Effect::FindLinks => ("mapped", "a folder or page with wheels, besides the indexes"),
            Effect::NoIndex => ("mapped", "no index is asked"),
            Effect::InsecureHost => ("mapped", "a host whose certificate is not checked"),
            Effect::Certificates => ("mapped", "the certificates to trust"),
            Effect::Proxy => ("mapped", "the proxy to use"),
            Effect::Keyring => ("mapped", "whether the keyring is asked for credentials"),
            Effect::Requirements => ("mapped", "a file of requirements, besides `requirements`"),
            Effect::Constraints => ("mapped", "a file of constraints"),
            Effect::Overrides => ("mapped", "a file of requirements that replace those of packages"),
            Effect::RequireHashes => ("mapped", "each requirement must have a hash"),
            Effect::OnlyBinary => ("mapped", "what is not built from source when it has no wheel"),
            Effect::IgnoreInstalled => ("mapped", "what the base has is installed again"),
            Effect::Uv(name) => return ("passed on", format!("`{name}` of uv")),
            Effect::UvFixed(name, value) => return ("passed on", format!("`{name} {value}` of uv")),
            Effect::Nothing(because) => ("without effect", because),
            Effect::Refused(because) => ("refused", because),
        };
        (kind, text.to_owned())
    }

    #[test]
    fn the_table_is_in_the_documentation() {
        let rows: Vec<String> = OPTIONS
            .iter()
            .map(|row| {
                let value = if row.takes_value { " VALUE" } else { "" };
                let names: Vec<String> = row.names.iter().map(|name| format!("`{name}{value}`")).collect();
                let (kind, text) = told(row.effect);
                format!("| {} | {kind} | {text} |\n", names.join(", "))
            })
            .collect();
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pip-options.md");
        let (text, rows) = (fs_err::read_to_string(path).unwrap(), rows.concat());
        assert!(text.contains(&rows), "docs/pip-options.md must have these rows:\n{rows}");
    }

    #[test]
    fn no_spelling_stands_twice() {
        let names: Vec<&str> = OPTIONS.iter().flat_map(|row| row.names.iter().copied()).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}
