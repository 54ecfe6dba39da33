use std::path::Path;
use std::process::Command;

use imagewright_debian::{Architecture, Compiler, Suite};
use imagewright_testkit::peers::oracle;

use crate::network::mirrors;
use crate::unpacked::{Base, Purpose, run};

#[test]
fn the_unpacked_interpreters_compile_and_serve_uv() {
    let Some(mirrors) = mirrors() else { return };
    for suite in Suite::ALL {
        let base = Base::fetch(&mirrors, suite, Architecture::Amd64, Purpose::Compiler);
        let folder = tempfile::tempdir().unwrap();
        let (first, root) = (folder.path().join("first"), folder.path().join("moved here"));
        fs_err::create_dir(&first).unwrap();
        let packages: Vec<_> = base.lock.packages.iter().collect();
        let unpacked = base.unpack(&packages).into_iter().map(|(_, unpacked)| unpacked).collect();
        Compiler::new(&first, Architecture::Amd64, suite.python()).unpack(unpacked).unwrap();
        fs_err::rename(&first, &root).unwrap();
        let compiler = Compiler::new(&root, Architecture::Amd64, suite.python());
        compiles(&compiler, &root);
        serves_uv(&compiler, folder.path(), suite);
    }
}

fn compiles(compiler: &Compiler, root: &Path) {
    let source = root.join("module.py");
    fs_err::write(
        &source,
        "def f(x):\n    return {'a': x, 'b': [i async for i in x] if 0 else None}\n".replace("async ", ""),
    )
    .unwrap();
    let mut start = clean(&compiler.command()[0]);
    let start = start.args(&compiler.command()[1..]).arg("-S").arg("-s").env("PYTHONHASHSEED", "0");
    run(start.args(["-m", "py_compile"]).arg(&source));
    let mut folder = fs_err::read_dir(root.join("__pycache__")).unwrap();
    assert!(folder.next().unwrap().unwrap().file_name().to_string_lossy().starts_with("module.cpython-3"));
    let mut script = clean(&compiler.script());
    let told = run(script.args([
        "-I",
        "-c",
        "import sys, sysconfig, platform, json; print(sys.prefix); print('\\n'.join(sys.path))",
    ]));
    for line in told.lines().filter(|line| !line.is_empty()) {
        assert!(line.starts_with(root.to_str().unwrap()), "{line} is a place of the host's");
    }
}

#[expect(clippy::disallowed_methods, reason = "the peer is a process")]
fn serves_uv(compiler: &Compiler, folder: &Path, suite: Suite) {
    let Some(oracle) = oracle() else { return };
    let uv = oracle.with_file_name("uv");
    let mut compile = Command::new(&uv);
    compile
        .arg("pip")
        .arg("compile")
        .arg("--python")
        .arg(compiler.script())
        .arg("--no-header")
        .arg("-")
        .current_dir(folder);
    compile
        .args(["--no-python-downloads", "--quiet"])
        .env("UV_CACHE_DIR", folder.join("cache"))
        .stdin(std::process::Stdio::null());
    assert_eq!(run(&mut compile).trim(), "", "{suite}");
    let project = folder.join("requirements.in");
    fs_err::write(&project, "six\n").unwrap();
    let mut compile = Command::new(uv);
    compile
        .args(["pip", "compile", "--no-header", "--no-annotate", "--python"])
        .arg(compiler.script())
        .arg(&project);
    compile.current_dir(folder).env("UV_CACHE_DIR", folder.join("cache"));
    assert!(run(&mut compile).starts_with("six=="), "{suite}");
}

#[expect(clippy::disallowed_methods, reason = "the interpreter is run as the compiler would be")]
fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command
}
