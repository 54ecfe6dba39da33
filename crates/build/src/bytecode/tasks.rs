use imagewright_layer::{InstallScheme, InstalledFile, InstalledWheel, TreePath};
use imagewright_pypa::PythonMinor;

use super::error::BytecodeError;

/// How many modules one process compiles: what it makes of a module depends on those before it, so this number is
/// part of the format.
const MODULES: usize = 256;

/// Modules that one process compiles.
#[derive(Debug)]
pub(super) struct Task<'a> {
    pub(super) modules: Vec<Module<'a>>,
}

#[derive(Debug)]
pub(super) struct Module<'a> {
    /// Its place in the image, which tracebacks show.
    pub(super) path: &'a TreePath,
    pub(super) source: Source<'a>,
    /// Where its bytecode goes (PEP 3147).
    pub(super) target: TreePath,
}

/// Where the source of a module is read from when its turn comes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// A wheel, as it is installed.
    Wheel(&'a InstalledWheel, &'a InstalledFile),
    /// Memory.
    Bytes(&'a [u8]),
}

impl Source<'_> {
    pub(super) fn copy(&self, out: &mut Vec<u8>) -> Result<(), BytecodeError> {
        match self {
            Self::Wheel(wheel, file) => wheel.copy(file, out)?,
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
        }
        Ok(())
    }
}

/// The modules of a wheel, sorted by path, cut into tasks.
pub(super) fn tasks_of<'a>(
    wheel: &'a InstalledWheel,
    scheme: &'a InstallScheme,
) -> Result<Vec<Task<'a>>, BytecodeError> {
    let sources = wheel.sources(scheme).map(|file| (&file.path, Source::Wheel(wheel, file)));
    tasks(sources, scheme.python)
}

/// Modules, sorted by path, cut into tasks.
pub(super) fn tasks<'a>(
    sources: impl Iterator<Item = (&'a TreePath, Source<'a>)>,
    python: PythonMinor,
) -> Result<Vec<Task<'a>>, BytecodeError> {
    let module = |(path, source)| Ok(Module { path, source, target: target(path, python)? });
    let mut modules = sources.map(module).collect::<Result<Vec<_>, BytecodeError>>()?;
    let mut tasks = Vec::new();
    while !modules.is_empty() {
        let rest = modules.split_off(modules.len().min(MODULES));
        tasks.push(Task { modules: std::mem::replace(&mut modules, rest) });
    }
    Ok(tasks)
}

/// `a/__pycache__/b.cpython-311.pyc` of `a/b.py`.
fn target(path: &TreePath, python: PythonMinor) -> Result<TreePath, BytecodeError> {
    let stem = path.file_name().trim_end_matches(".py");
    let tag = python.to_string().replace('.', "");
    let parent = path.parent().expect("a module is in a site directory");
    Ok(parent.join(&format!("__pycache__/{stem}.cpython-{tag}.pyc"))?)
}
