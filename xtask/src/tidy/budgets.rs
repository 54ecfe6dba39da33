//! How long files and functions may be.

use std::path::Path;

use super::File;
use crate::source::functions;

/// Lines of a file.
const FILE: usize = 500;
/// Lines of code of a function.
const FUNCTION: usize = 70;

/// Files that may be longer: the path, how long, and why.
const LONG_FILES: [(&str, usize, &str); 0] = [];
/// Functions that may be longer: the path, the name, how long, and why.
const LONG_FUNCTIONS: [(&str, &str, usize, &str); 0] = [];

/// Names what is over budget, and exceptions that nothing needs any more.
pub(super) fn check(files: &[File]) -> Vec<String> {
    let mut untidy = Vec::new();
    let mut used = Vec::new();
    for (file, code) in files.iter().filter_map(|file| Some((file, file.code.as_ref()?))) {
        let lines = file.text.lines().count();
        if lines > FILE {
            let exception = LONG_FILES.iter().find(|(path, ..)| file.path == Path::new(path));
            used.extend(exception.map(|(path, ..)| (*path).to_owned()));
            let budget = exception.map_or(FILE, |(_, budget, _)| *budget);
            if lines > budget {
                untidy.push(format!("{}: {lines} lines, budget {budget}", file.path.display()));
            }
        }
        for function in functions(code).into_iter().filter(|function| function.lines > FUNCTION) {
            let exception = LONG_FUNCTIONS
                .iter()
                .find(|(path, name, ..)| file.path == Path::new(path) && function.name == *name);
            used.extend(exception.map(|(path, name, ..)| format!("{path} {name}")));
            let budget = exception.map_or(FUNCTION, |(_, _, budget, _)| *budget);
            if function.lines > budget {
                let (path, name) = (file.path.display(), function.name);
                untidy.push(format!("{path}: {name} has {} lines, budget {budget}", function.lines));
            }
        }
    }
    let files = LONG_FILES.iter().map(|(path, ..)| (*path).to_owned());
    let functions = LONG_FUNCTIONS.iter().map(|(path, name, ..)| format!("{path} {name}"));
    let stale = files.chain(functions).filter(|exception| !used.contains(exception));
    untidy.extend(stale.map(|exception| format!("{exception}: an exception that is not needed")));
    untidy
}

/// The figures that are watched and not held.
pub(super) fn report(files: &[File]) -> String {
    let sources = || files.iter().filter_map(|file| Some((file, file.code.as_ref()?)));
    let mut lengths = sources().map(|(file, _)| file.text.lines().count()).collect::<Vec<_>>();
    let mut bodies = sources().flat_map(|(_, code)| functions(code)).map(|f| f.lines).collect::<Vec<_>>();
    lengths.sort_unstable();
    bodies.sort_unstable();
    let total = lengths.iter().sum::<usize>();
    let clones = sources().map(|(_, code)| code.matches(".clone()").count()).sum::<usize>();
    let at =
        |sorted: &[usize], part: usize| sorted.get(sorted.len() * part / 100).copied().unwrap_or_default();
    format!(
        "files: {}, lines: {total}, median file: {}, longest: {}\n\
         functions: {}, median: {}, ninth decile: {}, longest: {}\n\
         clones per 1000 lines: {:.1}\n",
        lengths.len(),
        at(&lengths, 50),
        lengths.last().unwrap_or(&0),
        bodies.len(),
        at(&bodies, 50),
        at(&bodies, 90),
        bodies.last().unwrap_or(&0),
        f64::from(u32::try_from(clones * 1000).unwrap_or(u32::MAX))
            / f64::from(u32::try_from(total.max(1)).unwrap_or(u32::MAX)),
    )
}
