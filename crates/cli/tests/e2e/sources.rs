//! Projects without a wheel are built in the sandbox, and their wheels installed as any other.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use imagewright_testkit::index::TestIndex;

use crate::support::{Report, Workshop, network, run_within};

const LIMIT: Duration = Duration::from_mins(2);

const PYPROJECT: &str = "\
[build-system]
requires = ['setuptools>=68']
build-backend = 'setuptools.build_meta'
[project]
name = 'greeter'
version = '1.2'
dependencies = ['six']
optional-dependencies = { shout = ['idna'] }
";

/// Writes a project that greets into a folder of the workshop.
fn write_project(workshop: &Workshop, folder: &str, greeting: &str) {
    workshop.write(&format!("{folder}/pyproject.toml"), PYPROJECT);
    workshop.write(&format!("{folder}/greeter/__init__.py"), format!("GREETING = '{greeting}'\n"));
}

/// What a command says in the image of `image.yaml`.
#[track_caller]
fn said(workshop: &Workshop, command: &[&str]) -> String {
    let arguments = [&["run", "image.yaml", "--"], command].concat();
    workshop.run(&arguments).expect(0).stdout.trim_end().to_owned()
}

fn spec(packages: &str) -> String {
    format!(
        "name: sources\npython_version: '3.11'\nbuilder_options: {{bytecode: false}}\npackages: {packages}\n"
    )
}

#[expect(clippy::disallowed_methods, reason = "the real git")]
fn git(folder: &Path, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@b.test", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_local_project_is_built_once_and_again_when_it_changes() {
    let Some(()) = network() else { return };
    let workshop = Workshop::warm();
    write_project(&workshop, "app", "hello");
    workshop.write("image.yaml", spec("['-e ./app[shout]']"));
    let first = workshop.build("image.yaml", &[]);
    let python = "import greeter, idna, six; print(greeter.GREETING, greeter.__file__)";
    let installed = "/opt/venv/lib/python3.11/site-packages/greeter/__init__.py";
    assert_eq!(said(&workshop, &["python", "-c", python]), format!("hello {installed}"));
    let names: Vec<_> = fs_err::read_dir(workshop.path("project/app")).unwrap().collect();
    assert_eq!(names.len(), 2, "the project itself is not touched: {names:?}");

    let again = workshop.run(&["build", "image.yaml", "--force"]).expect(0);
    assert!(!again.stderr.contains("building"), "{}", again.stderr);
    let anew = workshop.run(&["build", "image.yaml", "--no-cache", "--json"]).expect(0);
    assert!(anew.stderr.contains("building"), "{}", anew.stderr);
    assert_eq!(Report::parse(&anew.stdout).digest(), first.digest());
    let plan = workshop.run(&["plan", "image.yaml"]).expect(0).stdout;
    assert!(plan.contains("packages[0] asks for greeter 1.2; it is built from the folder `app`"), "{plan}");

    workshop.write("app/greeter/__init__.py", "GREETING = 'good bye'\n");
    let stale = workshop.run(&["exists", "image.yaml"]).expect(1).stdout;
    assert!(stale.contains("app/ changed"), "{stale}");
    let second = workshop.build("image.yaml", &[]);
    assert_ne!(second.digest(), first.digest());
    assert_eq!(second.produced().len(), 1, "{:?}", second.layers());
    assert_eq!(said(&workshop, &["python", "-c", python]), format!("good bye {installed}"));
}

#[test]
fn a_compiler_is_there_for_the_build_and_not_in_the_image() {
    let Some(()) = network() else { return };
    let workshop = Workshop::warm();
    workshop.write("image.yaml", spec("[python-Levenshtein==0.12.2]"));
    workshop.build("image.yaml", &[]);
    let python = "import Levenshtein; print(Levenshtein.distance('a', 'bc'))";
    assert_eq!(said(&workshop, &["python", "-c", python]), "2");
    let traces =
        "ls -d /usr/bin/gcc* /usr/include/python3* /opt/imagewright-build 2> /dev/null | wc -l; pip check";
    assert_eq!(said(&workshop, &["sh", "-c", traces]), "0\nNo broken requirements found.");
}

#[test]
fn another_machine_builds_the_archive_of_a_lock_again_and_makes_the_same() {
    let Some(()) = network() else { return };
    let workshop = Workshop::warm();
    workshop.write("image.yaml", spec("[docopt]"));
    let first = workshop.build("image.yaml", &[]);
    let python = "import docopt; print(docopt.__version__)";
    assert_eq!(said(&workshop, &["python", "-c", python]), "0.6.2");
    let plan = workshop.run(&["plan", "image.yaml"]).expect(0).stdout;
    assert!(plan.contains("built from docopt-0.6.2.tar.gz, because no wheel of it fits"), "{plan}");

    workshop.run(&["lock", "image.yaml"]).expect(0);
    let other = Workshop::warm();
    for file in ["image.yaml", "image.lock"] {
        other.write(file, fs_err::read(workshop.path("project").join(file)).unwrap());
    }
    let built = other.run(&["build", "image.yaml", "--frozen", "--json"]).expect(0);
    assert!(built.stderr.contains("building docopt-0.6.2.tar.gz"), "{}", built.stderr);
    assert_eq!(other.build("image.yaml", &["--frozen"]).digest(), first.digest());
}

/// Leaves a mark wherever it is executed, and says nothing of itself unless it is.
fn hostile(mark: &Path) -> String {
    format!(
        "import os\n\
         os.makedirs(os.path.dirname({mark:?}), exist_ok=True)\n\
         open({mark:?}, 'w').close()\n\
         open('hostile.py', 'w').write('WAS_HERE = True\\n')\n\
         from setuptools import setup\n\
         setup(name='hostile', version='1.0', py_modules=['hostile'], install_requires=['six'])\n"
    )
}

#[test]
fn nothing_that_was_downloaded_is_executed_outside_of_the_sandbox() {
    let Some(()) = network() else { return };
    let (workshop, index) = (Workshop::warm(), TestIndex::start());
    let mark = workshop.path("mark");
    let setup = hostile(&mark);
    index.add_source("hostile", "1.0", Some(">=3.8"), &[("setup.py", &setup)]);
    let spec = spec("[hostile]") + &format!("pip_extra_index_url: ['{}']\n", index.url());
    workshop.write("image.yaml", spec);
    for command in ["lock", "plan", "build"] {
        workshop.run(&[command, "image.yaml"]).expect(0);
        assert!(!mark.exists(), "{command}");
    }
    // It was executed where it belongs.
    let python = "import hostile, six; print(hostile.WAS_HERE)";
    assert_eq!(said(&workshop, &["python", "-c", python]), "True");
}

#[test]
fn a_branch_stays_where_it_was_until_it_is_asked_for_anew() {
    let Some(()) = network() else { return };
    let workshop = Workshop::warm();
    write_project(&workshop, "repository/sub", "one");
    let repository = workshop.path("project/repository");
    git(&repository, &["init", "--quiet", "--initial-branch=main"]);
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "--quiet", "--message=one"]);
    let url = format!("git+file://{}@main#subdirectory=sub", repository.display());
    workshop.write("requirements.txt", format!("greeter @ {url} ; python_version > '3'\n"));
    let spec = spec("[six]") + "requirements: requirements.txt\n";
    workshop.write("image.yaml", &spec);
    workshop.build("image.yaml", &[]);
    let python = ["python", "-c", "import greeter; print(greeter.GREETING)"];
    assert_eq!(said(&workshop, &python), "one");

    write_project(&workshop, "repository/sub", "two");
    git(&repository, &["commit", "--quiet", "--all", "--message=two"]);
    let commit = git(&repository, &["rev-parse", "HEAD"]);
    workshop.write("image.yaml", spec.replace("[six]", "[six, idna]"));
    workshop.build("image.yaml", &[]);
    assert_eq!(said(&workshop, &python), "one", "another package moves no branch");
    workshop.build("image.yaml", &["--refresh", "--force"]);
    assert_eq!(said(&workshop, &python), "two");
    let lock = workshop.run(&["lock", "image.yaml", "-o", "-"]).expect(0).stdout;
    assert!(lock.contains(&commit), "{lock}");
}

#[test]
fn a_version_is_read_from_the_history() {
    let Some(()) = network() else { return };
    let workshop = Workshop::warm();
    write_project(&workshop, "app", "hello");
    let pyproject = PYPROJECT.replace("version = '1.2'", "dynamic = ['version']");
    let pyproject = pyproject.replace("'setuptools>=68'", "'setuptools>=68', 'setuptools-scm>=8'");
    workshop.write("app/pyproject.toml", pyproject + "[tool.setuptools_scm]\n");
    let repository = workshop.path("project/app");
    git(&repository, &["init", "--quiet", "--initial-branch=main"]);
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "--quiet", "--message=one"]);
    git(&repository, &["tag", "v1.4"]);
    git(&repository, &["commit", "--quiet", "--allow-empty", "--message=two"]);
    let described = git(&repository, &["describe", "--tags"]);
    workshop.write("image.yaml", spec(&format!("['git+file://{}']", repository.display())));
    workshop.build("image.yaml", &[]);
    let python = "from importlib.metadata import version; print(version('greeter'))";
    let script = format!("! test -e /usr/bin/git && python -c \"{python}\"");
    let version = said(&workshop, &["sh", "-c", &script]);
    assert!(version.starts_with(&described.replace("v1.4-1-", "1.5.dev1+")), "{version} of {described}");

    workshop.write("image.yaml", spec("[./app]"));
    let told = workshop.run(&["lock", "image.yaml"]).expect(5);
    told.says(&["hint: the project reads its version from the history of git", "git+file://"]);
}

#[test]
fn what_cannot_be_built_is_told() {
    let Some(()) = network() else { return };
    let workshop = Workshop::warm();
    workshop.write("empty/readme.txt", "nothing here\n");
    write_project(&workshop, "app", "hello");
    workshop.write("broken/setup.py", "print('before'); raise SystemExit('it does not work today')\n");
    let archive = workshop.write("app-1.0.tar.gz", "no archive");
    let zeros = "0".repeat(64);
    let hashed = format!("file://{}#sha256={zeros}", archive.display());
    git(&workshop.path("project/app"), &["init", "--quiet", "--initial-branch=main"]);
    git(&workshop.path("project/app"), &["add", "."]);
    git(&workshop.path("project/app"), &["commit", "--quiet", "--message=one"]);
    let repository = format!("git+file://{}", workshop.path("project/app").display());
    for (package, code, said) in [
        ("./empty", 3, "has no Python project: neither `pyproject.toml` nor `setup.py`"),
        ("./broken", 5, "it does not work today"),
        ("./missing", 2, "missing"),
        ("./app-1.0.tar.gz", 3, "`app-1.0.tar.gz` cannot be unpacked"),
        (hashed.as_str(), 3, "has the digest"),
        ("other @ ./app", 3, "is greeter, and other was asked for"),
        (&format!("{repository}@nowhere"), 2, "has no branch, tag or commit `nowhere`"),
        (&format!("{repository}-not"), 4, "git cannot fetch"),
        (&format!("{repository}#subdirectory=none"), 3, "has no folder `none`"),
        ("./broken ; python_version < \"3\"", 0, ""),
        ("hg+https://host.test/x", 3, "must be built from source"),
    ] {
        workshop.write("image.yaml", spec(&format!("['{package}']")));
        workshop.run(&["lock", "image.yaml", "--sandbox", "auto"]).expect(code).says(&[said]);
    }
    // What was fetched is there without network, and what was not is told.
    for (revision, said) in [("HEAD", "has no folder `none`"), ("later", "`later` of file://")] {
        workshop.write("image.yaml", spec(&format!("['{repository}@{revision}#subdirectory=none']")));
        workshop.run(&["build", "image.yaml", "--offline"]).says(&[said]);
    }
    workshop.run(&["build", "image.yaml", "--offline"]).expect(4).says(&["hint: leave out `--offline`"]);
    let mut command = workshop.command(&["build", "image.yaml"]);
    let told = run_within(command.env("PATH", "/nowhere"), LIMIT).expect(2);
    told.says(&["needs git, which cannot be started here", "hint: install git"]);

    // Where a build has failed can be looked at, with what it has of its own.
    workshop.write("image.yaml", spec("['./broken']"));
    let failed = workshop.run(&["build", "image.yaml"]).expect(5);
    failed.says(&["exit status 1", "    it does not work today", "hint: `imagewright run --failed`"]);
    let script = "pwd; ls; python -c 'import setuptools, sys; print(sys.prefix)'; id -u; exit 4";
    let look = workshop.run(&["run", "image.yaml", "--failed", "--", "sh", "-c", script]).expect(4);
    let expected = "/run/imagewright/source\nsetup.py\n/opt/imagewright-build\n0\n";
    assert_eq!(look.stdout, expected);
    look.says(&[
        "looking at the build of the folder `broken` of sources:",
        "which failed with exit status 1",
    ]);
}

/// A module in C that asks a library of the system.
const ON_LIBRARY: [(&str, &str); 2] = [
    (
        "setup.py",
        "from setuptools import Extension, setup\n\
         setup(name='yext', version='1.0', ext_modules=[Extension('yext', ['yext.c'], libraries=['yaml'])])\n",
    ),
    (
        "yext.c",
        "#include <Python.h>\n#include <yaml.h>\n\
         static PyObject *version(PyObject *self, PyObject *none) { return PyUnicode_FromString(yaml_get_version_string()); }\n\
         static PyMethodDef methods[] = {{\"version\", version, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};\n\
         static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, \"yext\", NULL, -1, methods};\n\
         PyMODINIT_FUNC PyInit_yext(void) { return PyModule_Create(&module); }\n",
    ),
];

#[test]
fn a_build_has_what_apt_packages_bring() {
    let Some(()) = network() else { return };
    let workshop = Workshop::warm();
    for (name, text) in ON_LIBRARY {
        workshop.write(&format!("yext/{name}"), text);
    }
    let spec = spec("['./yext']");
    workshop.write("image.yaml", &spec);
    workshop.run(&["build", "image.yaml"]).expect(5).says(&["yaml.h: No such file"]);
    workshop.write("image.yaml", spec + "apt_packages: [libyaml-dev]\n");
    let built = workshop.build("image.yaml", &[]);
    let version = said(&workshop, &["python", "-c", "import yext; print(yext.version())"]);
    assert!(version.starts_with("0."), "{version}");
    let again = workshop.build("image.yaml", &["--force"]);
    assert_eq!((again.digest(), again.produced().len()), (built.digest(), 0));
}

/// What an installer leaves of a project, beside another one's: files with their permissions and contents.
const COMPARE: &str = r"
import hashlib, os, sys
def tree(prefix):
    found = {}
    for folder, folders, files in os.walk(prefix):
        for name in files:
            path = os.path.join(folder, name)
            below = os.path.relpath(path, prefix)
            words = ('greeter', 'docopt', 'greet', 'share')
            if not any(word in below for word in words) or '__pycache__' in below:
                continue
            text = open(path, 'rb').read().replace(prefix.encode(), b'PREFIX')
            mode = oct(os.lstat(path).st_mode & 0o7777)
            found[below.replace('lib64', 'lib')] = (mode, hashlib.sha256(text).hexdigest())
    return found
ours, pips = tree('/opt/venv'), tree('/opt/pips')
for name in sorted({*ours, *pips}):
    if ours.get(name) != pips.get(name):
        what = 'only ours' if name not in pips else 'only of pip' if name not in ours else 'other'
        print(what, name.split('site-packages/')[-1])
print(len(ours) > 12)
";

#[test]
fn what_is_installed_of_a_source_is_what_pip_installs() {
    let Some(()) = network() else { return };
    let workshop = Workshop::warm();
    let pyproject = PYPROJECT.replace("\ndep", "\nscripts = { greet = 'greeter:main' }\ndep");
    workshop.write("app/pyproject.toml", pyproject);
    workshop.write("app/greeter/__init__.py", "def main(): print('hello')\n");
    workshop.write("app/greeter/data/words.txt", "words\n");
    workshop.write(
        "app/setup.py",
        "from setuptools import setup\n\
         setup(packages=['greeter', 'greeter.data'], package_data={'greeter.data': ['*.txt']}, \
         scripts=['greet-all'], data_files=[('share/greeter', ['greet-all'])])\n",
    );
    workshop.write("app/greet-all", "#!/usr/bin/env python\nimport greeter; greeter.main()\n");
    let commands = "copy: [app]\ncommands:\n- python3 -m venv --without-pip /opt/pips\n\
                    - pip --python /opt/pips/bin/python install --no-binary docopt docopt==0.6.2 /root/app\n";
    workshop.write("image.yaml", spec("['./app', 'docopt==0.6.2']") + commands);
    workshop.build("image.yaml", &[]);
    assert_eq!(said(&workshop, &["greet"]), "hello");
    assert_eq!(said(&workshop, &["greet-all"]), "hello");
    let different = said(&workshop, &["python", "-c", COMPARE]);
    // Who installed them is said by each, RECORD lists what differs, pip notes what was asked for by the user, and
    // where a folder was. A built wheel has no place of its own that would mean something in the image.
    let expected = [
        "other docopt-0.6.2.dist-info/INSTALLER",
        "other docopt-0.6.2.dist-info/RECORD",
        "only of pip docopt-0.6.2.dist-info/REQUESTED",
        "other greeter-1.2.dist-info/INSTALLER",
        "other greeter-1.2.dist-info/RECORD",
        "only of pip greeter-1.2.dist-info/REQUESTED",
        "only of pip greeter-1.2.dist-info/direct_url.json",
        "True",
    ];
    assert_eq!(different.lines().collect::<Vec<_>>(), expected);
}
