//! `builder_options`: what a spec says to the native builder beside flytekit's fields.

use std::path::PathBuf;

use crate::copy_options::copy_options;
use crate::node::{Content, Node, Scalar};
use crate::reader::{Reader, nearest};
use crate::{BuilderName, Field, ProblemKind, PyValue, Wanted};

/// Options of the native builder: `builder_options` in the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuilderOptions {
    /// Whether the image has compiled Python beside its sources; on by default, as in flytekit.
    pub bytecode: bool,
    /// Whether each of the `commands` is a layer of its own (`commands: separate`), not all one (`joined`).
    pub separate_commands: bool,
    /// What is copied besides `copy`, and how.
    pub copy: Vec<CopyOptions>,
    /// Whose images this one looks like.
    pub layout: Layout,
    /// The user that is made, unless the base has it, and that containers run as, instead of the layout's.
    pub user: Option<String>,
    /// Where containers start, instead of where the layout says; relative to where the base's start.
    pub working_directory: Option<String>,
    /// Whether the project that `requirements` is the lock of is built and installed, too (`install_project`).
    pub install_project: bool,
}

/// Whose images an image looks like: user, variables and working directory are theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Layout {
    /// Those of flytekit's default builder: the user `flytekit`, who starts in `/root`.
    #[default]
    Flytekit,
    /// Those of Flyte 2's builders: root, who starts where the base's containers do. What is copied is the user
    /// `flyte`'s where there is one, relative destinations and commands are in the working directory, and the sources
    /// of `copy` in the options are below `source_root`.
    Flyte,
}

/// A file or folder to copy, and how: one entry of `copy` in `builder_options`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOptions {
    /// On this machine; relative, below the working directory.
    pub source: PathBuf,
    /// In the image: its own path, or with a slash at the end the folder that a file is put into. Without a leading
    /// slash it is below `/root`; without any, it is the path of the source.
    pub destination: Option<String>,
    /// `user`, `user:group`, by name or number; without one it is the user of tasks.
    pub owner: Option<String>,
    /// Permissions of its files; folders may be searched by whoever may read them.
    pub mode: Option<u32>,
}

impl Default for BuilderOptions {
    fn default() -> Self {
        Self {
            bytecode: true,
            separate_commands: false,
            copy: Vec::new(),
            layout: Layout::default(),
            user: None,
            working_directory: None,
            install_project: false,
        }
    }
}

/// What an option may be called.
const NAMES: [&str; 7] =
    ["bytecode", "commands", "copy", "install_project", "layout", "user", "working_directory"];

/// The options, with a problem for each that is wrong.
pub(crate) fn builder_options(reader: &mut Reader<'_, '_>, builder: BuilderName) -> BuilderOptions {
    let mut options = BuilderOptions::default();
    let entries = reader.mapping(Field::BuilderOptions);
    if !matches!(builder, BuilderName::Native | BuilderName::Docker) {
        return options;
    }
    for (key, value) in entries {
        let name = key.scalar.text.as_str();
        let parsed = match name {
            "copy" => {
                options.copy = copy_options(reader, value);
                continue;
            }
            "bytecode" => truth(value).map(|bytecode| options.bytecode = bytecode),
            "install_project" => truth(value).map(|install| options.install_project = install),
            "commands" => one_of(value, "`joined` or `separate`", &[("joined", false), ("separate", true)])
                .map(|is_separate| options.separate_commands = is_separate),
            "layout" => {
                let layouts = [("flytekit", Layout::Flytekit), ("flyte", Layout::Flyte)];
                one_of(value, "`flytekit` or `flyte`", &layouts).map(|layout| options.layout = layout)
            }
            "user" => user(value).map(|user| options.user = Some(user)),
            "working_directory" => path(value).map(|path| options.working_directory = Some(path)),
            _ => {
                let nearest = nearest(name, NAMES.into_iter());
                Err(ProblemKind::UnknownOption { name: name.to_owned(), nearest })
            }
        };
        if let Err(kind) = parsed {
            let is_unknown = matches!(kind, ProblemKind::UnknownOption { .. });
            let position = if is_unknown { key.position } else { value.position };
            reader.problem_at(Field::BuilderOptions, &format!(".{name}"), position, kind);
        }
    }
    options
}

fn truth(node: &Node) -> Result<bool, ProblemKind> {
    match &node.content {
        Content::Scalar(Scalar { value: PyValue::Bool(truth), .. }) => Ok(*truth),
        _ => Err(ProblemKind::WrongType { wanted: Wanted::Truth, got: node.describe(), written: None }),
    }
}

fn one_of<T: Copy>(node: &Node, wanted: &'static str, known: &[(&str, T)]) -> Result<T, ProblemKind> {
    let found = known.iter().find(|(name, _)| node.as_str() == Some(name));
    found.map(|(_, value)| *value).ok_or_else(|| ProblemKind::Other { wanted, got: node.describe() })
}

/// A name that `useradd` takes.
fn user(node: &Node) -> Result<String, ProblemKind> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    let is_name = |name: &&str| {
        name.len() <= 32
            && name.bytes().next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
            && name.bytes().all(is_inner)
    };
    let wrong = || ProblemKind::Other { wanted: "the name of a user", got: node.describe() };
    node.as_str().filter(is_name).map(str::to_owned).ok_or_else(wrong)
}

fn path(node: &Node) -> Result<String, ProblemKind> {
    let is_path = |path: &&str| !path.is_empty() && !path.contains('\0');
    let wrong = || ProblemKind::Other { wanted: "a folder of the image", got: node.describe() };
    node.as_str().filter(is_path).map(str::to_owned).ok_or_else(wrong)
}
