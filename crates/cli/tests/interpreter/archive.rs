//! Archives in the layout of python-build-standalone, made of a Python of this machine, and a mirror that has them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fs_err as fs;
use fs_err::os::unix::fs::symlink;
use imagewright_oci::Digest;
use tempfile::TempDir;

use crate::support::{oracle, run, skip};

/// Libraries that every base has, and that have to be those of its kernel's loader.
const OF_THE_BASE: [&str; 7] =
    ["libc.", "libm.", "libpthread.", "libdl.", "librt.", "libutil.", "libresolv."];

/// A mirror with one archive.
#[derive(Debug)]
pub(super) struct Archives {
    pub(super) version: String,
    /// Below the mirror.
    pub(super) path: String,
    pub(super) sha256: String,
    /// Whether Debian does not have its minor release, so that it compiles too.
    pub(super) is_compiler: bool,
    server: Child,
    port: String,
    _folder: TempDir,
}

impl Archives {
    /// An archive of an interpreter that is installed here in a folder of its own, and that uv knows an archive
    /// of: one of a minor release that Debian does not have, if there is one. Without any the caller skips.
    pub(super) fn of_a_real_python() -> Option<Self> {
        let oracle = oracle()?;
        let (prefix, version, path) = movable(&oracle)?;
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let archive = folder.path().join("mirror").join(&path);
        stage(&prefix, &version, &folder.path().join("python"));
        fs::create_dir_all(archive.parent().unwrap()).unwrap();
        let (file, from) = (archive.to_str().unwrap(), folder.path().to_str().unwrap());
        run("tar", &["-c", "-I", "gzip -1", "-f", file, "-C", from, "python"]);
        let sha256 = Digest::of(&fs::read(&archive).unwrap()).hex();
        let list = format!("{sha256}  {}\n", name(&archive));
        fs::write(archive.with_file_name("SHA256SUMS"), list).unwrap();
        let (server, port) = serve(&oracle, &folder.path().join("mirror"));
        let is_compiler = is_compiler(&version);
        Some(Self { version, path, sha256, is_compiler, server, port, _folder: folder })
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

impl Drop for Archives {
    fn drop(&mut self) {
        self.server.kill().expect("the server runs until now");
        self.server.wait().expect("it was not waited for");
    }
}

/// Copies a Python of this machine to a folder, from where it can be moved on; its version. Without any the caller
/// skips.
pub(super) fn copy_a_real_python(to: &Path) -> Option<String> {
    let (prefix, version, _) = movable(&oracle()?)?;
    stage(&prefix, &version, to);
    Some(version)
}

/// A Python that can be moved: where it is, its version, and the path of its archive.
fn movable(oracle: &Path) -> Option<(PathBuf, String, String)> {
    let own = PathBuf::from(run_python(oracle, "import sys; print(sys.base_prefix)"));
    let beside = fs::read_dir(own.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let mut prefixes: Vec<PathBuf> = beside.filter(|path| is_compiler(name(path))).collect();
    prefixes.sort();
    prefixes.insert(0, own);
    let found = prefixes.into_iter().rev().find_map(|prefix| known(oracle, prefix));
    if found.is_none() {
        skip("no Python of this machine can be moved");
    }
    found
}

/// Whether a version is of a minor release that none of Debian's suites has.
fn is_compiler(version: &str) -> bool {
    ["3.10.", "3.12.", "3.14."].iter().any(|minor| version.starts_with(minor))
}

/// The version of the Python at `prefix` and the path of its archive, when it can be moved and uv knows one.
fn known(oracle: &Path, prefix: PathBuf) -> Option<(PathBuf, String, String)> {
    let program = prefix.join("bin/python3");
    // One that is installed for a whole system has its library elsewhere, and its path in no program.
    if prefix == Path::new("/usr") || !program.is_file() {
        return None;
    }
    let version = run_python(&program, "import platform; print(platform.python_version())");
    let uv = oracle.with_file_name("uv");
    let arguments = ["python", "list", &version, "--only-downloads", "--all-versions", "--no-config"];
    let listed = run(uv.to_str().unwrap(), &[&arguments[..], &["--output-format", "json"]].concat());
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let is_ours = |entry: &&serde_json::Value| {
        let is = |field: &str, value: &str| entry[field] == value;
        is("version", &version)
            && is("implementation", "cpython")
            && is("libc", "gnu")
            && is("variant", "default")
    };
    let url = listed.as_array()?.iter().find(is_ours)?["url"].as_str()?.replace("%2B", "+");
    let mut segments = url.rsplit('/');
    let (file, release) = (segments.next()?, segments.next()?);
    Some((prefix, version, format!("{release}/{file}")))
}

/// Copies a Python so that it runs wherever it is moved: with the libraries that it needs beside it, and found from
/// where each file is. The text files believe that they are in `/install`, as those of real archives do.
fn stage(prefix: &Path, version: &str, to: &Path) {
    let minor = version.rsplit_once('.').unwrap().0;
    let library = format!("lib/python{minor}");
    let mut needed = BTreeSet::new();
    copy(prefix, prefix, to, &mut needed);
    for path in needed {
        fs::copy(&path, to.join("lib").join(name(&path))).unwrap();
    }
    assert!(to.join(library).join("os.py").is_file());
}

fn copy(prefix: &Path, folder: &Path, to: &Path, needed: &mut BTreeSet<PathBuf>) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let (path, kind) = {
            let entry = entry.unwrap();
            (entry.path(), entry.file_type().unwrap())
        };
        let target = to.join(name(&path));
        if kind.is_symlink() {
            symlink(fs::read_link(&path).unwrap(), target).unwrap();
        } else if kind.is_dir() {
            if !matches!(name(&path), "__pycache__" | "test" | "tests" | "share") {
                copy(prefix, &path, &target, needed);
            }
        } else if path.extension() != Some(OsStr::new("a")) {
            copy_file(prefix, &path, &target, needed);
        }
    }
}

fn copy_file(prefix: &Path, path: &Path, target: &Path, needed: &mut BTreeSet<PathBuf>) {
    let mut content = fs::read(path).unwrap();
    let old = prefix.to_str().unwrap();
    if content.starts_with(b"\x7fELF") {
        let depth = target.strip_prefix(target.ancestors().find(|at| name(at) == "python").unwrap()).unwrap();
        let up = "../".repeat(depth.components().count() - 1);
        run_path(&mut content, &format!("{old}/lib"), &format!("$ORIGIN/{up}lib"));
        needed.extend(libraries(prefix, path));
    } else if let Ok(text) = std::str::from_utf8(&content) {
        content = text.replace(old, "/install").into_bytes();
    }
    fs::write(target, content).unwrap();
    fs::set_permissions(target, fs::metadata(path).unwrap().permissions()).unwrap();
}

/// Writes another run path into a program, in the place of the longer one that it was linked with.
fn run_path(program: &mut [u8], old: &str, new: &str) {
    let wanted = [old.as_bytes(), b"\0"].concat();
    let Some(at) = program.windows(wanted.len()).position(|window| window == wanted) else { return };
    assert!(new.len() <= old.len(), "{new} does not fit in the place of {old}");
    program[at..at + old.len()].fill(0);
    program[at..at + new.len()].copy_from_slice(new.as_bytes());
}

/// The libraries of this machine that a program loads.
fn libraries(prefix: &Path, program: &Path) -> Vec<PathBuf> {
    if program.parent() != Some(&prefix.join("bin")) && program.extension() != Some(OsStr::new("so")) {
        return Vec::new();
    }
    let listed = run("ldd", &[program.to_str().unwrap()]);
    let paths = listed.lines().filter_map(|line| line.split(" => ").nth(1)?.split(" (").next());
    let paths = paths.filter(|path| path.starts_with('/')).map(PathBuf::from);
    paths
        .filter(|path| !path.starts_with(prefix))
        .filter(|path| !OF_THE_BASE.iter().any(|start| name(path).starts_with(start)))
        .collect()
}

/// Starts the web server that Python has.
#[expect(clippy::disallowed_methods, reason = "a mirror is a server")]
fn serve(python: &Path, folder: &Path) -> (Child, String) {
    let mut server = Command::new(python)
        .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"])
        .arg(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.split_once(" port ").expect(&line).1.split(' ').next().unwrap().to_owned();
    (server, port)
}

fn run_python(python: &Path, program: &str) -> String {
    run(python.to_str().unwrap(), &["-c", program]).trim().to_owned()
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).unwrap_or_default()
}
