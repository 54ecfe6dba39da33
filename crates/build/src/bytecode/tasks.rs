use imagewright_layer::{InstallScheme, InstalledFile, InstalledWheel, TreePath};

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
    /// The source, at the place in the image that tracebacks show.
    pub(super) source: &'a InstalledFile,
    /// Where its bytecode goes (PEP 3147).
    pub(super) target: TreePath,
}

/// The modules of a wheel, sorted by path, cut into tasks.
pub(super) fn tasks_of<'a>(
    wheel: &'a InstalledWheel,
    scheme: &'a InstallScheme,
) -> Result<Vec<Task<'a>>, BytecodeError> {
    let module = |source: &'a InstalledFile| Ok(Module { source, target: target(&source.path, scheme)? });
    let mut modules = wheel.sources(scheme).map(module).collect::<Result<Vec<_>, BytecodeError>>()?;
    let mut tasks = Vec::new();
    while !modules.is_empty() {
        let rest = modules.split_off(modules.len().min(MODULES));
        tasks.push(Task { modules: std::mem::replace(&mut modules, rest) });
    }
    Ok(tasks)
}

/// `a/__pycache__/b.cpython-311.pyc` of `a/b.py`.
fn target(path: &TreePath, scheme: &InstallScheme) -> Result<TreePath, BytecodeError> {
    let stem = path.file_name().trim_end_matches(".py");
    let tag = scheme.python.to_string().replace('.', "");
    let parent = path.parent().expect("a module is in a site directory");
    Ok(parent.join(&format!("__pycache__/{stem}.cpython-{tag}.pyc"))?)
}
