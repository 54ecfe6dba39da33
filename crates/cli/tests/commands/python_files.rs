//! Python files in the place of specs: the oracle's Python reads them.

use std::process::Command;
use std::time::Duration;

use crate::support::{Offline, Run, oracle, run_within, small};

const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../python");

/// The command, with a Python that has the package, as if it was installed there.
fn command(world: &Offline, arguments: &[&str]) -> Command {
    let mut command = world.workshop.command(arguments);
    command.env("IMAGEWRIGHT_PYTHON_PROGRAM", oracle().unwrap()).env("PYTHONPATH", PACKAGE);
    command
}

#[track_caller]
fn run(world: &Offline, arguments: &[&str]) -> Run {
    run_within(&mut command(world, arguments), Duration::from_mins(2))
}

/// An expression that makes a spec over the base of the world.
fn spec(world: &Offline, name: &str, packages: &str) -> String {
    let (host, index) = (world.registry.host(), world.index.url());
    format!(
        "ImageSpec(name='{name}', registry='{host}', base_image='{host}/base:1', pip_index='{index}', \
         packages={packages}, builder_options={{'bytecode': False}})"
    )
}

#[test]
fn variables_of_a_file_without_flytekit() {
    let Some(world) = Offline::new() else { return };
    let (first, second) = (spec(&world, "first", "['gamma']"), spec(&world, "second", "['gamma', 'beta']"));
    let workshop = &world.workshop;
    let text = format!("from imagewright import ImageSpec\nprint('noise')\na = {first}\nb = {second}\n");
    workshop.write("images.py", text);
    let printed = run(&world, &["name", "images.py"]).expect(0).says(&["noise"]);
    let names: Vec<&str> = printed.stdout.lines().collect();
    assert!(names[0].contains("/first:") && names[1].contains("/second:") && names.len() == 2, "{names:?}");
    run(&world, &["lock", "images.py"]).expect(2).says(&["these are 2: images.py:a, images.py:b"]);
    run(&world, &["lock", "images.py:b"]).expect(0).says(&["wrote images.b.lock"]);
    run(&world, &["exists", "images.py:b"]).expect(1);
    let built = run(&world, &["build", "images.py", "--frozen"]).expect(2);
    built.says(&["error: images.py:a: `--frozen` needs a lock"]);
    let built = run(&world, &["build", "images.py"]).expect(0);
    assert_eq!(built.stdout.lines().collect::<Vec<_>>(), names);
    run(&world, &["exists", "images.py:b"]).expect(0);

    // A folder has a copy of one image, another one, and a file that must not be executed.
    for (name, content) in [
        ("folder/x/one.py", format!("from imagewright import ImageSpec\na = {first}\n")),
        ("folder/y/one.py", format!("from imagewright import ImageSpec\na = {first}\nb = {second}\n")),
        ("folder/y/none.py", "import imagewright\n".to_owned()),
        ("folder/y/script.py", "raise SystemExit\n".to_owned()),
        ("folder/env/pyvenv.cfg", String::new()),
        ("folder/env/one.py", "import imagewright\nraise SystemExit\n".to_owned()),
    ] {
        workshop.write(name, content);
    }
    let all = run(&world, &["build", "--all", "folder"]).expect(0);
    assert_eq!(all.stdout.lines().collect::<Vec<_>>(), names);
    fs_err::create_dir(workshop.project().join("empty")).unwrap();
    run(&world, &["build", "--all", "empty"])
        .expect(2)
        .says(&["no Python file below empty has an ImageSpec"]);
}

#[test]
fn tasks_of_flytekit() {
    let Some(world) = Offline::new() else { return };
    world.index.add(&small("flytekit", "1.16.31"));
    let (shared, inline) = (spec(&world, "shared", "['gamma']"), spec(&world, "inline", "['beta']"));
    let text = format!(
        "from flytekit import ImageSpec, map_task, task, workflow\n\nshared = {shared}\nunused = ImageSpec(name='no')\n\n\
         @task(container_image=shared)\ndef fit(x: int) -> int:\n    return x\n\n\
         @task(container_image=shared)\ndef score(x: int) -> int:\n    return x\n\n\
         @task(container_image={inline})\ndef plot(x: int) -> int:\n    return x\n\n\
         @workflow\ndef all_of_it() -> int:\n    score(x=1)\n    map_task(plot)(x=[1])\n    return fit(x=1)\n"
    );
    world.workshop.write("train.py", text);
    let refused = run(&world, &["build", "train.py", "al_of_it"]).expect(2);
    refused
        .says(&["train.py has no workflow, task or ImageSpec `al_of_it`", "hint: did you mean `all_of_it`?"]);
    let several = run(&world, &["lock", "train.py", "all_of_it"]).expect(2);
    several.says(&["these are 2: train.py:shared (score, fit), train.py:plot (plot)"]);
    let built = run(&world, &["build", "train.py"]).expect(0);
    assert_eq!(built.stdout.lines().count(), 2, "{}", built.stdout);
    // Both have flytekit, which the specs do not name, and the Python part of imagewright.
    let inspected = run(&world, &["inspect", "train.py:plot"]).expect(0);
    assert!(inspected.stdout.contains("flytekit 1.16.31"), "{}", inspected.stdout);
    assert!(inspected.stdout.contains("imagewright"), "{}", inspected.stdout);
}

#[test]
fn tasks_of_one_name_have_images_of_their_own() {
    let Some(world) = Offline::new() else { return };
    for (module, package) in [("left", "gamma"), ("right", "beta")] {
        let spec = spec(&world, module, &format!("['{package}']"));
        let text = format!(
            "from flytekit import ImageSpec, task\n\n@task(container_image={spec})\ndef fit() -> int:\n    return 1\n"
        );
        world.workshop.write(&format!("{module}.py"), text);
    }
    // What the file leaves behind has the pipe of the answer.
    let text = "import os, time\nif os.fork() == 0:\n    os.close(1)\n    os.close(2)\n    time.sleep(100)\n    os._exit(0)\n\
                from flytekit import workflow\nimport left, right\n\n@workflow\ndef both() -> None:\n    left.fit()\n    right.fit()\n";
    world.workshop.write("both.py", text);
    let mut command = command(&world, &["lock", "both.py"]);
    let several = run_within(&mut command, Duration::from_secs(90)).expect(2);
    several.says(&["these are 2: both.py:fit (fit), both.py:fit-2 (fit)"]);
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_place() {
    let Some(world) = Offline::new() else { return };
    let check = |text: &str, told: &[&str]| {
        world.workshop.write("bad.py", text);
        run(&world, &["build", "bad.py"]).expect(2).says(told).never_says(&["importlib", "Traceback"]);
    };
    check(
        "def read():\n    import nowhere\n\nread()\n",
        &[
            "No module named 'nowhere'",
            "bad.py:4: read()",
            "bad.py:2: import nowhere",
            "install `nowhere` there",
        ],
    );
    check("x = (\n", &["bad.py cannot be read: SyntaxError", "bad.py:1: x = ("]);
    check("import sys\nsys.exit('no')\n", &["it ends Python when it is imported", "__main__"]);
    check("import os\nos._exit(1)\n", &["ended with exit status: 1 while it read bad.py"]);
    check("x = 1\n", &["bad.py has no ImageSpec, and no tasks"]);
    check(
        "from imagewright import ImageSpec\nImageSpec(packages='x')\n",
        &["packages must be a list", "bad.py:2: "],
    );
    check("input('?')\n", &["EOFError", "bad.py:1: input('?')"]);
    world.workshop.write("a.b.py", "");
    run(&world, &["build", "a.b.py"])
        .expect(2)
        .says(&["a.b.py: Python imports nothing with a dot in its name"]);
    world.workshop.run(&["build", "none.py"]).expect(2).says(&["none.py"]);
    let mut without = command(&world, &["build", "bad.py"]);
    let without = run_within(without.env_remove("PYTHONPATH"), Duration::from_mins(1)).expect(2);
    without.says(&["has no package `imagewright`", "-m pip install imagewright`"]);
}
