use std::path::PathBuf;

use imagewright_pypa::PackageName;

use super::option_table::{Effect, nearest, row};
use super::uv_config::location;
use super::{Index, IndexSettings, IndexUrl, Origin, PythonError, PythonWarning, Requirement};
use crate::uv::Host;

/// What install options ask for: those of `pip_extra_args`, and those that stand in requirements files.
#[derive(Clone, Debug, Default)]
pub struct InstallOptions {
    /// Indexes and how to reach them.
    pub indexes: IndexSettings,
    /// Requirements files of `-r`, as written.
    pub requirement_files: Vec<PathBuf>,
    /// Files of `-c`, as written.
    pub constraint_files: Vec<PathBuf>,
    /// Files of `--overrides`.
    pub override_files: Vec<OverrideFile>,
    /// Words that are no option: pip takes them for requirements.
    pub requirements: Vec<Requirement>,
    /// Whether each file must be named by a hash.
    pub require_hashes: bool,
    /// Whether what the base has is installed again.
    pub ignore_installed: bool,
    /// Distributions that are not built from source: names, or `:all:`.
    pub only_binary: Vec<String>,
    /// Options for uv, none of which holds a URL.
    uv: Vec<Passed>,
    /// Options that do nothing here.
    pub warnings: Vec<PythonWarning>,
}

/// An option for uv.
#[derive(Clone, Debug)]
struct Passed {
    /// As uv calls it.
    option: &'static str,
    value: Option<String>,
    written: Written,
}

/// A file of requirements that take the place of what packages require.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideFile {
    /// As written.
    pub path: PathBuf,
    /// The option that names it.
    pub written: Written,
}

/// An option as the user wrote it, without its value, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The option.
    pub option: String,
    /// Where it was written.
    pub origin: Origin,
}

/// What is wrong with an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionProblem {
    /// It cannot be meant here.
    Refused {
        /// Why.
        because: &'static str,
    },
    /// It is no option of pip or uv.
    Unknown {
        /// The option that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The value that belongs to it is not there.
    NoValue,
}

impl InstallOptions {
    /// Reads words as a shell hands them to pip.
    pub fn parse(words: &[String], origin: &Origin, host: &Host) -> Result<Self, PythonError> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word.starts_with('-') && word.len() > 1 {
                for (name, value) in split(word) {
                    let fail = |problem| PythonError::Option {
                        option: shown(word),
                        origin: origin.clone(),
                        problem,
                    };
                    let row =
                        row(&name).ok_or_else(|| fail(OptionProblem::Unknown { nearest: nearest(&name) }))?;
                    if let Effect::Refused(because) = row.effect {
                        return Err(fail(OptionProblem::Refused { because }));
                    }
                    let value = match (row.takes_value, value) {
                        (false, _) => String::new(),
                        (true, Some(value)) => value,
                        (true, None) => words.next().cloned().ok_or_else(|| fail(OptionProblem::NoValue))?,
                    };
                    if row.takes_value && value.is_empty() && row.effect.needs_value() {
                        return Err(fail(OptionProblem::NoValue));
                    }
                    let is_no_index = row.effect.is_index() && !Index::parse(&value).is_possible(host);
                    let is_no_page = row.effect == Effect::FindLinks && !is_location(&value);
                    if is_no_index || is_no_page {
                        let (index, origin) = (Index::parse(&value).url, origin.clone());
                        return Err(PythonError::NoIndex { index, origin });
                    }
                    options.apply(row.effect, &name, &value, origin, host);
                }
            } else {
                options.requirements.push(Requirement::new(word, origin.clone()));
            }
        }
        Ok(options)
    }

    fn apply(&mut self, effect: Effect, name: &str, value: &str, origin: &Origin, host: &Host) {
        let written = Written { option: name.to_owned(), origin: origin.clone() };
        let indexes = &mut self.indexes;
        match effect {
            Effect::DefaultIndex => indexes.default = Some(Index::parse(value)),
            Effect::AdditionalIndex => indexes.additional.push(Index::parse(value)),
            Effect::FindLinks => indexes.find_links.push(location(value, host.working_directory())),
            Effect::NoIndex => indexes.no_index = true,
            Effect::InsecureHost => indexes.insecure_hosts.push(value.to_owned()),
            Effect::Certificates => indexes.certificates = Some(host.absolute(value)),
            Effect::Proxy => indexes.proxy = Some(IndexUrl::new(value)),
            Effect::Keyring => {
                let provider = if value == "disabled" { "disabled" } else { "subprocess" };
                indexes.further.insert("keyring-provider".to_owned(), provider.into());
            }
            Effect::Requirements => self.requirement_files.push(value.into()),
            Effect::Constraints => self.constraint_files.push(value.into()),
            Effect::Overrides => self.override_files.push(OverrideFile { path: value.into(), written }),
            Effect::OnlyBinary => {
                let all = if value.is_empty() { ":all:" } else { value };
                self.only_binary.extend(all.split(',').map(|name| name.trim().to_owned()));
            }
            Effect::RequireHashes => self.require_hashes = true,
            Effect::IgnoreInstalled => self.ignore_installed = true,
            Effect::Uv(option) => {
                let value = (!value.is_empty()).then(|| value.to_owned());
                self.set(Passed { option, value, written });
            }
            Effect::UvFixed(option, value) => {
                self.set(Passed { option, value: Some(value.to_owned()), written });
            }
            Effect::Nothing(because) => self.warnings.push(PythonWarning::WithoutEffect {
                option: name.to_owned(),
                because,
                origin: origin.clone(),
            }),
            Effect::Refused(_) => {}
        }
    }

    /// The last one written counts, as in pip.
    fn set(&mut self, passed: Passed) {
        self.uv.retain(|known| known.option != passed.option || REPEATABLE.contains(&known.option));
        self.uv.push(passed);
    }

    /// Joined with options that matter less.
    pub(super) fn or(self, mut other: Self) -> Self {
        let is_new =
            |option: &str| REPEATABLE.contains(&option) || !self.uv.iter().any(|it| it.option == option);
        other.uv.retain(|passed| is_new(passed.option));
        let indexes = self.indexes.clone().or(other.indexes.clone());
        Self { indexes, ..self.then(other) }
    }

    /// Joined with options that are written behind these: of what counts once, the last counts, as in pip.
    pub(super) fn then(mut self, later: Self) -> Self {
        for passed in later.uv {
            self.set(passed);
        }
        self.requirement_files.extend(later.requirement_files);
        self.constraint_files.extend(later.constraint_files);
        self.override_files.extend(later.override_files);
        self.requirements.extend(later.requirements);
        self.warnings.extend(later.warnings);
        self.only_binary.extend(later.only_binary);
        Self {
            indexes: self.indexes.then(later.indexes),
            require_hashes: self.require_hashes || later.require_hashes,
            ignore_installed: self.ignore_installed || later.ignore_installed,
            ..self
        }
    }

    /// With what is asked for alone, and nothing that it depends on.
    pub(crate) fn without_dependencies(mut self, origin: Origin) -> Self {
        let option = "--no-deps";
        self.set(Passed { option, value: None, written: Written { option: option.to_owned(), origin } });
        self
    }

    /// Those that count for what is needed to build something, too.
    pub(crate) fn of_builds(&self) -> Self {
        Self { only_binary: self.only_binary.clone(), ..Self::default() }
    }

    /// Whether a distribution may be built from source; what is written last counts, as in pip.
    pub(crate) fn may_be_built(&self, name: &PackageName) -> bool {
        let after_none = self.only_binary.rsplit(|text| text == ":none:").next().unwrap_or_default();
        let is_meant =
            |text: &String| text == ":all:" || text.parse::<PackageName>().is_ok_and(|meant| meant == *name);
        !after_none.iter().any(is_meant)
    }

    /// What uv is given, less the options in `except`.
    pub(super) fn uv_arguments(&self, except: &[&str]) -> Vec<String> {
        let passed = self.uv.iter().filter(|passed| !except.contains(&passed.option));
        passed.flat_map(|it| [Some(it.option.to_owned()), it.value.clone()]).flatten().collect()
    }

    /// The value of an option that uv is given.
    pub(super) fn uv_value(&self, option: &str) -> Option<&str> {
        self.uv.iter().find(|passed| passed.option == option)?.value.as_deref()
    }

    /// The option that uv's words name; of several, the one whose value they quote.
    pub(super) fn meant_by(&self, explanation: &str) -> Option<&Written> {
        let words: Vec<&str> = explanation.split([' ', '\'', '`', '\n']).collect();
        let is_named = |passed: &&Passed| words.contains(&passed.option);
        let is_quoted = |passed: &&Passed| passed.value.as_deref().is_some_and(|it| explanation.contains(it));
        let both = self.uv.iter().find(|passed| is_named(passed) && is_quoted(passed));
        both.or_else(|| self.uv.iter().find(is_named)).map(|passed| &passed.written)
    }
}

/// Options that uv takes more than once.
const REPEATABLE: [&str; 1] = ["--exclude-newer-package"];

/// An option and its value where one is attached: `--name=value`, `-nvalue`, or several letters behind one dash.
fn split(word: &str) -> Vec<(String, Option<String>)> {
    if word.starts_with("--") {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        return vec![(name.to_owned(), value.map(str::to_owned))];
    }
    let mut options = Vec::new();
    for (at, letter) in word.char_indices().skip(1) {
        let name = format!("-{letter}");
        let rest = &word[at + letter.len_utf8()..];
        if row(&name).is_some_and(|row| row.takes_value) {
            let value = (!rest.is_empty()).then(|| rest.trim_start_matches('=').to_owned());
            options.push((name, value));
            break;
        }
        options.push((name, None));
    }
    options
}

/// A path, or an address that is one.
fn is_location(text: &str) -> bool {
    !text.contains("://") || text.parse::<url::Url>().is_ok()
}

/// The option without its value, which may hold a password.
fn shown(word: &str) -> String {
    word.split('=').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    fn parse(text: &str) -> Result<InstallOptions, PythonError> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let origin = Origin::Field { name: "pip_extra_args".to_owned() };
        InstallOptions::parse(&words, &origin, &Host::new(BTreeMap::new(), "/project".into()))
    }

    #[test]
    fn maps_what_uv_calls_otherwise() {
        let options = parse(
            "--pre --no-deps -i https://a/simple --extra-index-url=https://b/simple -f wheels -rmore.txt \
             --trusted-host c:80 --resolution lowest extra-package",
        )
        .unwrap();
        let uv = options.uv_arguments(&["--no-deps"]);
        assert_eq!(uv, ["--prerelease", "allow", "--resolution", "lowest"]);
        let indexes: Vec<String> = options.indexes.indexes().map(|index| index.url.to_string()).collect();
        assert_eq!(indexes, ["https://b/simple", "https://a/simple"]);
        assert_eq!(options.indexes.find_links, ["/project/wheels"]);
        assert_eq!(options.indexes.insecure_hosts, ["c:80"]);
        assert_eq!(options.requirement_files, [PathBuf::from("more.txt")]);
        assert_eq!(options.requirements[0].to_string(), "extra-package");
    }

    #[test]
    fn the_last_of_the_field_counts_and_then_the_files() {
        let field = parse("--pre --prerelease disallow --exclude-newer-package a=1 --overrides a").unwrap();
        let file = parse("--pre --no-deps --exclude-newer-package b=1 --overrides b").unwrap();
        let expected =
            "--prerelease disallow --exclude-newer-package a=1 --no-deps --exclude-newer-package b=1";
        let joined = field.or(file);
        assert_eq!(joined.uv_arguments(&[]).join(" "), expected);
        let files: Vec<&Path> = joined.override_files.iter().map(|file| file.path.as_path()).collect();
        assert_eq!(files, [Path::new("a"), Path::new("b")]);
    }

    #[test]
    fn of_what_is_written_one_behind_the_other_the_last_counts() {
        let first =
            parse("--pre --resolution lowest --cert a --extra-index-url https://x/ -i https://a/").unwrap();
        let then = parse("--resolution highest --cert b --extra-index-url https://y/ -i https://b/").unwrap();
        let joined = first.then(then);
        assert_eq!(joined.uv_arguments(&[]), ["--prerelease", "allow", "--resolution", "highest"]);
        assert_eq!(joined.indexes.certificates, Some("/project/b".into()));
        let indexes: Vec<String> = joined.indexes.indexes().map(|index| index.url.to_string()).collect();
        assert_eq!(indexes, ["https://x/", "https://y/", "https://b/"]);
    }

    #[test]
    fn says_what_does_nothing() {
        let options = parse("-Uq --no-cache-dir --break-system-packages").unwrap();
        let shown: Vec<String> = options.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 4);
        assert!(
            shown[0].starts_with("`-U` in `pip_extra_args` has no effect: what the last lock has"),
            "{shown:?}"
        );
    }

    #[test]
    fn refuses_and_corrects() {
        for (text, expected) in [
            (
                "--target /x",
                OptionProblem::Refused { because: "packages go to the image's environment, not elsewhere" },
            ),
            ("-e .", OptionProblem::Refused { because: "name the project in `packages` or `requirements`" }),
            (
                "--extra-index-ur https://u:p@h/",
                OptionProblem::Unknown { nearest: Some("--extra-index-url") },
            ),
            ("--zzz", OptionProblem::Unknown { nearest: None }),
            ("--index-url", OptionProblem::NoValue),
            ("--resolution=", OptionProblem::NoValue),
        ] {
            match parse(text).unwrap_err() {
                PythonError::Option { problem, .. } => assert_eq!(problem, expected, "{text}"),
                other => panic!("{text}: {other}"),
            }
        }
    }
}
