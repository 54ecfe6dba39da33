use std::path::{Path, PathBuf};

use imagewright_pypa::PythonMinor;
use tempfile::TempDir;

use super::minor;
use crate::support::run;

/// A virtual environment at one place, made anew for pip and for us, and wheels that are downloaded once.
pub(super) struct Environment {
    python: String,
    pip: PathBuf,
    wheels: PathBuf,
    scratch: TempDir,
}

impl Environment {
    pub(super) fn prepare(python: &str, requirements: &[&str], alone: &[&str]) -> Self {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pip-oracle");
        fs_err::create_dir_all(&cache).unwrap();
        let (tools, wheels) = (cache.join("tools"), cache.join("wheels"));
        let pip = tools.join("bin/pip");
        let done = wheels.join("done");
        if !done.exists() {
            run(python, &["-m", "venv", "--clear", tools.to_str().unwrap()]);
            run(pip.to_str().unwrap(), &["install", "--quiet", "--upgrade", "pip>=26"]);
            let download =
                ["download", "--quiet", "--only-binary", ":all:", "--dest", wheels.to_str().unwrap()];
            run(pip.to_str().unwrap(), &[&download[..], requirements].concat());
            run(pip.to_str().unwrap(), &[&download[..], &["--no-deps"], alone].concat());
            fs_err::write(&done, "").unwrap();
        }
        Self { python: python.to_owned(), pip, wheels, scratch: TempDir::new().unwrap() }
    }

    /// The paths of the wheels, sorted.
    pub(super) fn wheels(&self) -> Vec<String> {
        let entries = fs_err::read_dir(&self.wheels).unwrap();
        let mut paths: Vec<String> = entries
            .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
            .filter(|path| path.strip_suffix(".whl").is_some())
            .collect();
        paths.sort_unstable();
        paths
    }

    pub(super) fn prefix(&self) -> PathBuf {
        self.scratch.path().join("venv")
    }

    pub(super) fn scratch(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    pub(super) fn minor(&self) -> PythonMinor {
        let program = "import sys; print('%d.%d' % sys.version_info[:2])";
        minor(&run(&self.python, &["-c", program]))
    }

    /// An environment without anything in it.
    pub(super) fn create(&self) {
        run(&self.python, &["-m", "venv", "--without-pip", "--clear", self.prefix().to_str().unwrap()]);
    }

    pub(super) fn pip_install(&self, wheels: &[String]) {
        let python = self.interpreter();
        let script = "umask 022; exec \"$0\" --python \"$1\" install --quiet --no-index --no-deps --no-compile \"${@:2}\"";
        let mut arguments = vec!["-c", script, self.pip.to_str().unwrap(), &python];
        arguments.extend(wheels.iter().map(String::as_str));
        run("bash", &arguments);
    }

    /// The top-level modules of all distributions that can be imported.
    pub(super) fn importable_modules(&self) -> Vec<String> {
        let modules = run(&self.interpreter(), &["-B", "-W", "ignore", "-c", include_str!("import_all.py")]);
        modules.lines().map(str::to_owned).collect()
    }

    /// Every file that a RECORD lists is there with its hash and size.
    pub(super) fn check_records(&self) {
        run(&self.interpreter(), &["-B", "-c", include_str!("check_records.py")]);
    }

    /// What pip thinks of how the distributions fit together. Some are there without what they need.
    pub(super) fn pip_check(&self) -> String {
        let script = "\"$0\" --python \"$1\" check || true";
        run("bash", &["-c", script, self.pip.to_str().unwrap(), &self.interpreter()])
    }

    fn interpreter(&self) -> String {
        self.prefix().join("bin/python").to_str().unwrap().to_owned()
    }
}
