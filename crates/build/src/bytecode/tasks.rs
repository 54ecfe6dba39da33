use std::io::{self, Read};

use imagewright_layer::{Bytecode, InstallScheme, InstalledWheel, TreePath};

use super::error::BytecodeError;

/// How many modules one process compiles: what it makes of a module depends on those before it, so this number is
/// part of the format.
const MODULES: usize = 256;

/// Modules that one process compiles.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) modules: Vec<Module>,
}

#[derive(Debug)]
pub(super) struct Module {
    /// Where the source is in the image, which tracebacks show.
    pub(super) path: TreePath,
    /// Where its bytecode goes (PEP 3147).
    pub(super) target: TreePath,
    pub(super) source: Vec<u8>,
}

/// The modules of a wheel, sorted by path, cut into tasks.
pub(super) fn tasks_of(wheel: &InstalledWheel, scheme: &InstallScheme) -> Result<Vec<Task>, BytecodeError> {
    let mut modules = Vec::new();
    for file in wheel.sources(scheme) {
        let mut source = Vec::new();
        wheel.copy(file, &mut source)?;
        modules.push(Module { path: file.path.clone(), target: target(&file.path, scheme)?, source });
    }
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

/// The form in which a wheel's bytecode is kept: path and content, each a 32-bit length and bytes.
pub(super) fn encode(compiled: &[Bytecode]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Bytecode { path, content } in compiled {
        for part in [path.as_str().as_bytes(), content] {
            let length = u32::try_from(part.len()).expect("the compiler's lengths have 32 bits");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(part);
        }
    }
    bytes
}

pub(super) fn decode(mut reader: impl Read) -> io::Result<Vec<Bytecode>> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    let mut rest = bytes.as_slice();
    let mut compiled = Vec::new();
    while !rest.is_empty() {
        let path = String::from_utf8(part(&mut rest)?.to_vec()).map_err(io::Error::other)?;
        let path = TreePath::new(&path).map_err(io::Error::other)?;
        compiled.push(Bytecode { path, content: part(&mut rest)?.to_vec() });
    }
    Ok(compiled)
}

fn part<'a>(rest: &mut &'a [u8]) -> io::Result<&'a [u8]> {
    let ended = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (length, behind) = rest.split_first_chunk().ok_or_else(ended)?;
    let (part, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or_else(ended)?;
    *rest = behind;
    Ok(part)
}
