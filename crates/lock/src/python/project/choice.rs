use imagewright_spec::ProjectLock;

use crate::python::option::OptionProblem;
use crate::python::{Origin, PythonError};

/// What of a locked project is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectChoice {
    /// Whether the project itself is.
    pub project: bool,
    /// Whether the lock is taken as it is, and not held against its project before.
    pub unchecked: bool,
    /// Further words of the user, in order.
    pub(super) words: Vec<Chosen>,
}

/// What one option chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    Extra(String),
    NoExtra(String),
    AllExtras,
    Group(String),
    NoGroup(String),
    OnlyGroup(String),
    AllGroups,
    NoDefaultGroups,
    /// The group `dev`, which uv installs by default and flytekit has it leave out.
    Dev,
    OnlyDev,
    /// Of a workspace, this member.
    Member(String),
    AllMembers,
    NoPackage(String),
    NoMembers,
    NoLocal,
}

/// What becomes of an option.
#[derive(Clone, Copy)]
enum Effect {
    Value(fn(String) -> Chosen),
    /// Several, with commas or spaces between them.
    Values(fn(String) -> Chosen),
    Flag(fn() -> Chosen),
    Unchecked,
    /// It is what is done anyway.
    Granted,
}

type Row = (&'static [&'static str], Effect);

const UV: &[Row] = &[
    (&["--extra"], Effect::Value(Chosen::Extra)),
    (&["--no-extra"], Effect::Value(Chosen::NoExtra)),
    (&["--all-extras"], Effect::Flag(|| Chosen::AllExtras)),
    (&["--group"], Effect::Value(Chosen::Group)),
    (&["--no-group"], Effect::Value(Chosen::NoGroup)),
    (&["--only-group"], Effect::Value(Chosen::OnlyGroup)),
    (&["--all-groups"], Effect::Flag(|| Chosen::AllGroups)),
    (&["--no-default-groups"], Effect::Flag(|| Chosen::NoDefaultGroups)),
    (&["--dev"], Effect::Flag(|| Chosen::Dev)),
    (&["--only-dev"], Effect::Flag(|| Chosen::OnlyDev)),
    (&["--package"], Effect::Value(Chosen::Member)),
    (&["--all-packages"], Effect::Flag(|| Chosen::AllMembers)),
    (&["--no-install-package"], Effect::Value(Chosen::NoPackage)),
    (&["--no-install-workspace"], Effect::Flag(|| Chosen::NoMembers)),
    (&["--no-install-local"], Effect::Flag(|| Chosen::NoLocal)),
    (&["--frozen"], Effect::Unchecked),
    (
        &[
            "--no-dev",
            "--no-install-project",
            "--locked",
            "--exact",
            "--inexact",
            "--active",
            "--no-editable",
        ],
        Effect::Granted,
    ),
];

const POETRY: &[Row] = &[
    (&["--extras", "-E"], Effect::Values(Chosen::Extra)),
    (&["--all-extras"], Effect::Flag(|| Chosen::AllExtras)),
    (&["--with"], Effect::Values(Chosen::Group)),
    (&["--without"], Effect::Values(Chosen::NoGroup)),
    (&["--only"], Effect::Values(Chosen::OnlyGroup)),
    (&["--all-groups"], Effect::Flag(|| Chosen::AllGroups)),
    (&["--no-directory"], Effect::Flag(|| Chosen::NoLocal)),
    // Poetry has no such word, and other versions of it may hash otherwise.
    (&["--frozen"], Effect::Unchecked),
    (&["--no-root", "--sync", "--no-interaction", "-n", "--no-ansi"], Effect::Granted),
];

const PYLOCK: &[Row] = &[
    (&["--extra"], Effect::Value(Chosen::Extra)),
    (&["--all-extras"], Effect::Flag(|| Chosen::AllExtras)),
    (&["--group"], Effect::Value(Chosen::Group)),
    (&["--no-group"], Effect::Value(Chosen::NoGroup)),
    (&["--all-groups"], Effect::Flag(|| Chosen::AllGroups)),
    (&["--no-default-groups"], Effect::Flag(|| Chosen::NoDefaultGroups)),
];

impl ProjectChoice {
    /// What the words of an installation choose of a project, and the words that say something else.
    pub(in crate::python) fn split(
        words: &[String],
        lock: ProjectLock,
        origin: &Origin,
    ) -> Result<(Self, Vec<String>), PythonError> {
        let rows = match lock {
            ProjectLock::Uv => UV,
            ProjectLock::Poetry => POETRY,
            ProjectLock::Pylock => PYLOCK,
        };
        let (mut choice, mut others) = (Self::default(), Vec::new());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (name, attached) = split_word(word);
            let Some((_, effect)) = rows.iter().find(|(names, _)| names.contains(&name)) else {
                others.push(word.clone());
                continue;
            };
            let no_value = || PythonError::Option {
                option: name.to_owned(),
                origin: origin.clone(),
                problem: OptionProblem::NoValue,
            };
            let mut value =
                || attached.map(str::to_owned).or_else(|| words.next().cloned()).ok_or_else(no_value);
            match effect {
                Effect::Value(of) => choice.words.push(of(value()?)),
                Effect::Values(of) => {
                    let text = value()?;
                    let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
                    choice.words.extend(parts.map(|part| of(part.to_owned())));
                }
                Effect::Flag(of) => choice.words.push(of()),
                Effect::Unchecked => choice.unchecked = true,
                Effect::Granted => {}
            }
        }
        Ok((choice, others))
    }

    /// The words for `uv export`. As flytekit has it, the group `dev` is left out where nothing says otherwise.
    pub(super) fn of_uv(&self) -> Vec<String> {
        let is_dev = |word: &Chosen| match word {
            Chosen::Dev | Chosen::OnlyDev => true,
            Chosen::Group(name) | Chosen::OnlyGroup(name) => name == "dev",
            _ => false,
        };
        let dev = (!self.words.iter().any(is_dev)).then(|| "--no-dev".to_owned());
        let project = (!self.project).then(|| "--no-emit-project".to_owned());
        let words = self.words.iter().flat_map(|word| {
            let (name, value) = word.of_uv();
            [name.map(str::to_owned), value.cloned()].into_iter().flatten()
        });
        project.into_iter().chain(dev).chain(words).collect()
    }
}

impl Chosen {
    fn of_uv(&self) -> (Option<&'static str>, Option<&String>) {
        match self {
            Self::Extra(name) => (Some("--extra"), Some(name)),
            Self::NoExtra(name) => (Some("--no-extra"), Some(name)),
            Self::AllExtras => (Some("--all-extras"), None),
            Self::Group(name) => (Some("--group"), Some(name)),
            Self::NoGroup(name) => (Some("--no-group"), Some(name)),
            Self::OnlyGroup(name) => (Some("--only-group"), Some(name)),
            Self::AllGroups => (Some("--all-groups"), None),
            Self::NoDefaultGroups => (Some("--no-default-groups"), None),
            // It is there by default.
            Self::Dev => (None, None),
            Self::OnlyDev => (Some("--only-dev"), None),
            Self::Member(name) => (Some("--package"), Some(name)),
            Self::AllMembers => (Some("--all-packages"), None),
            Self::NoPackage(name) => (Some("--no-emit-package"), Some(name)),
            Self::NoMembers => (Some("--no-emit-workspace"), None),
            Self::NoLocal => (Some("--no-emit-local"), None),
        }
    }
}

/// `--name=value` and `-Evalue` in two.
fn split_word(word: &str) -> (&str, Option<&str>) {
    match word.split_once('=') {
        Some((name, value)) if name.starts_with("--") => (name, Some(value)),
        _ if word.starts_with("-E") && word.len() > 2 => {
            (&word[..2], Some(word[2..].trim_start_matches('=')))
        }
        _ => (word, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, lock: ProjectLock) -> (ProjectChoice, String) {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let origin = Origin::Field { name: "pip_extra_args".to_owned() };
        let (choice, others) = ProjectChoice::split(&words, lock, &origin).unwrap();
        (choice, others.join(" "))
    }

    #[test]
    fn words_about_the_project_are_taken_out() {
        let text = "--group docs --extra=s3 --locked --index-url https://host/simple --no-install-package x --frozen";
        let (choice, others) = split(text, ProjectLock::Uv);
        assert_eq!(others, "--index-url https://host/simple");
        assert!(choice.unchecked);
        let words = choice.of_uv().join(" ");
        assert_eq!(words, "--no-emit-project --no-dev --group docs --extra s3 --no-emit-package x");
        let (choice, _) = split("--dev", ProjectLock::Uv);
        assert_eq!(ProjectChoice { project: true, ..choice }.of_uv(), [""; 0]);
        let (choice, others) = split("--with docs,test -Es3 --no-root --pre", ProjectLock::Poetry);
        assert_eq!(others, "--pre");
        let named = |of: fn(String) -> Chosen, name: &str| of(name.to_owned());
        let expected =
            [(Chosen::Group as fn(String) -> Chosen, "docs"), (Chosen::Group, "test"), (Chosen::Extra, "s3")];
        assert_eq!(choice.words, expected.map(|(of, name)| named(of, name)));
    }

    #[test]
    fn a_value_that_is_missing_is_missed() {
        let origin = Origin::Field { name: "pip_extra_args".to_owned() };
        let error = ProjectChoice::split(&["--group".to_owned()], ProjectLock::Uv, &origin).unwrap_err();
        assert_eq!(error.to_string(), "the option `--group` in `pip_extra_args` lacks its value");
    }
}
