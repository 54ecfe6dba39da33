use std::collections::BTreeSet;
use std::str::FromStr;

use thiserror::Error;

use crate::marker_text::Reader;
use crate::{PackageName, Specifiers, TargetPython, Version};

/// A condition on the environment that something is for: what is behind the `;` of a requirement.
///
/// Follows the dependency specifiers specification (PEP 508) as the `packaging` library reads it, with the sets of
/// extras and dependency groups of lock files (PEP 751).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marker {
    /// One of these holds.
    Any(Vec<Marker>),
    /// All of these hold.
    All(Vec<Marker>),
    /// Two values are compared.
    Compare {
        /// In front of the operator.
        left: Operand,
        /// The operator.
        operator: Operator,
        /// Behind it.
        right: Operand,
    },
}

/// A side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// What the environment says.
    Variable(Variable),
    /// What is written.
    Literal(String),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the operators of the specification")]
pub enum Operator {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
    Compatible,
    Arbitrary,
    In,
    NotIn,
}

/// What an environment is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the names of the specification")]
pub enum Variable {
    OsName,
    SysPlatform,
    PlatformMachine,
    PlatformPythonImplementation,
    PlatformRelease,
    PlatformSystem,
    PlatformVersion,
    PythonVersion,
    PythonFullVersion,
    ImplementationName,
    ImplementationVersion,
    Extra,
    Extras,
    DependencyGroups,
}

/// What markers are held against: the Python of an image, and what was chosen of a project.
#[derive(Clone, Debug)]
pub struct MarkerEnvironment<'a> {
    /// The Python.
    pub target: &'a TargetPython,
    /// The extras that were asked for.
    pub extras: BTreeSet<PackageName>,
    /// The dependency groups that were asked for.
    pub groups: BTreeSet<PackageName>,
}

/// A text that is no marker.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a marker as PEP 508 defines it: {problem}")]
pub struct MarkerError {
    /// What was given.
    pub text: String,
    /// Where it goes wrong.
    pub problem: String,
}

impl Marker {
    /// Whether it holds.
    pub fn holds(&self, environment: &MarkerEnvironment<'_>) -> bool {
        match self {
            Self::Any(markers) => markers.iter().any(|marker| marker.holds(environment)),
            Self::All(markers) => markers.iter().all(|marker| marker.holds(environment)),
            Self::Compare { left, operator, right } => environment.compare(left, *operator, right),
        }
    }
}

impl FromStr for Marker {
    type Err = MarkerError;

    fn from_str(text: &str) -> Result<Self, MarkerError> {
        let mut reader = Reader::new(text);
        reader.marker().map_err(|problem| MarkerError { text: text.to_owned(), problem })
    }
}

impl MarkerEnvironment<'_> {
    /// Of a Python, without extras and groups.
    pub fn of(target: &TargetPython) -> MarkerEnvironment<'_> {
        MarkerEnvironment { target, extras: BTreeSet::new(), groups: BTreeSet::new() }
    }

    fn compare(&self, left: &Operand, operator: Operator, right: &Operand) -> bool {
        let variable = match (left, right) {
            (Operand::Variable(variable), _) | (_, Operand::Variable(variable)) => *variable,
            (Operand::Literal(left), Operand::Literal(right)) => return as_text(left, operator, right),
        };
        match variable {
            Variable::Extra | Variable::Extras => has(&self.extras, left, operator, right),
            Variable::DependencyGroups => has(&self.groups, left, operator, right),
            _ => {
                let (left, right) = (self.value(left), self.value(right));
                let compared = variable.is_version().then(|| as_versions(&left, operator, &right)).flatten();
                compared.unwrap_or_else(|| as_text(&left, operator, &right))
            }
        }
    }

    fn value(&self, operand: &Operand) -> String {
        let (major, minor) = self.target.version();
        let variable = match operand {
            Operand::Literal(text) => return text.clone(),
            Operand::Variable(variable) => variable,
        };
        match variable {
            Variable::OsName => "posix".to_owned(),
            Variable::SysPlatform => "linux".to_owned(),
            Variable::PlatformSystem => "Linux".to_owned(),
            Variable::PlatformMachine => self.target.machine().to_owned(),
            Variable::PlatformPythonImplementation => "CPython".to_owned(),
            Variable::ImplementationName => "cpython".to_owned(),
            Variable::PythonVersion => format!("{major}.{minor}"),
            Variable::PythonFullVersion | Variable::ImplementationVersion => {
                self.target.full_version().to_string()
            }
            // Of the kernel that it will run on nobody knows; sets are no values.
            Variable::PlatformRelease
            | Variable::PlatformVersion
            | Variable::Extra
            | Variable::Extras
            | Variable::DependencyGroups => String::new(),
        }
    }
}

impl Variable {
    fn is_version(self) -> bool {
        matches!(self, Self::PythonVersion | Self::PythonFullVersion | Self::ImplementationVersion)
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "os_name" | "os.name" => Self::OsName,
            "sys_platform" | "sys.platform" => Self::SysPlatform,
            "platform_machine" | "platform.machine" => Self::PlatformMachine,
            "platform_python_implementation" | "platform.python_implementation" | "python_implementation" => {
                Self::PlatformPythonImplementation
            }
            "platform_release" => Self::PlatformRelease,
            "platform_system" => Self::PlatformSystem,
            "platform_version" | "platform.version" => Self::PlatformVersion,
            "python_version" => Self::PythonVersion,
            "python_full_version" => Self::PythonFullVersion,
            "implementation_name" => Self::ImplementationName,
            "implementation_version" => Self::ImplementationVersion,
            "extra" => Self::Extra,
            "extras" => Self::Extras,
            "dependency_groups" => Self::DependencyGroups,
            _ => return None,
        })
    }
}

impl Operator {
    fn symbol(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
            Self::Compatible => "~=",
            Self::Arbitrary => "===",
            Self::In | Self::NotIn => "in",
        }
    }
}

/// Whether what is written is in a set, or is not.
fn has(set: &BTreeSet<PackageName>, left: &Operand, operator: Operator, right: &Operand) -> bool {
    let ((Operand::Literal(text), _) | (_, Operand::Literal(text))) = (left, right) else { return false };
    let is_in = text.parse().is_ok_and(|name: PackageName| set.contains(&name));
    match operator {
        Operator::NotEqual | Operator::NotIn => !is_in,
        _ => is_in,
    }
}

/// None where what is held against is no version: then text is compared.
fn as_versions(left: &str, operator: Operator, right: &str) -> Option<bool> {
    if matches!(operator, Operator::In | Operator::NotIn) {
        return None;
    }
    let specifiers: Specifiers = format!("{}{right}", operator.symbol()).parse().ok()?;
    Some(left.parse().is_ok_and(|version: Version| specifiers.contains(&version)))
}

/// Text has no order: of what is less or greater, only what is equal holds.
fn as_text(left: &str, operator: Operator, right: &str) -> bool {
    match operator {
        Operator::Equal | Operator::Arbitrary | Operator::LessOrEqual | Operator::GreaterOrEqual => {
            left == right
        }
        Operator::NotEqual => left != right,
        Operator::In => right.contains(left),
        Operator::NotIn => !right.contains(left),
        Operator::Compatible | Operator::Less | Operator::Greater => false,
    }
}
