//! What a lock becomes: the layers with their reasons, and how a container starts.

#![expect(clippy::unwrap_used, reason = "a failing test may panic anywhere")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use imagewright_lock::facts::{Accounts, BaseFacts, Environment, Installed, Interpreter, Link};
use imagewright_lock::python::LockedPackage;
use imagewright_lock::{
    BaseImage, BaseLayer, BaseLock, BaseOrigin, Distribution, EnvironmentLock, InterpreterArchive,
    InterpreterLock, InterpreterSource, PlatformLock, Results,
};
use imagewright_oci::{Descriptor, DiffId, Digest, ImageConfig, MediaType, Platform};
use imagewright_plan::{Content, Plan, PlanError, TreeFile, TreeKind, plan};
use imagewright_pypa::PythonMinor;
use imagewright_recipe::{Recipe, lower};
use imagewright_spec::{ParseOptions, SourceEntry, SourceTree, parse_yaml};

const EPOCH: u64 = 315_532_800;

fn recipe(yaml: &str) -> Recipe {
    let spec = parse_yaml(yaml, &ParseOptions::default()).unwrap();
    lower(&spec, PythonMinor(13).into()).unwrap()
}

fn package(name: &str, version: &str, size: u64) -> LockedPackage {
    serde_json::from_value(serde_json::json!({
        "name": name,
        "version": version,
        "filename": format!("{name}-{version}-py3-none-any.whl"),
        "path": format!("/wheels/{name}-{version}-py3-none-any.whl"),
        "sha256": Digest::of(format!("{name} {version}").as_bytes()),
        "size": size,
        "requested": name == "numpy",
        "required_by": if name == "numpy" { vec![] } else { vec!["pandas"] },
    }))
    .unwrap()
}

fn lock(packages: Vec<LockedPackage>) -> PlatformLock {
    PlatformLock {
        base: BaseLock::Image { reference: "reg.io/base:1".parse().unwrap(), digest: Digest::of(b"base") },
        interpreter: InterpreterLock {
            path: "/usr/bin/python3.11".to_owned(),
            minor: PythonMinor(11),
            full: Some("3.11.2".parse().unwrap()),
            source: InterpreterSource::Base,
        },
        compiler: None,
        environment: EnvironmentLock { prefix: "/opt/venv".to_owned(), continues: false },
        packages,
        kept: Vec::new(),
        replaced: Vec::new(),
        threshold: 1 << 20,
        results: Results::default(),
    }
}

fn base(layers: usize) -> BaseImage {
    let layer = |number: usize| {
        let digest = Digest::of(&number.to_be_bytes());
        BaseLayer {
            descriptor: Descriptor::new(MediaType::OciLayerGzip, digest, 10),
            diff_id: DiffId(digest),
        }
    };
    let mut config = ImageConfig::new(Platform::linux_amd64());
    config.config.env = Some(vec!["PATH=/usr/bin:/bin".to_owned(), "LANG=C.UTF-8".to_owned()]);
    config.config.cmd = Some(vec!["bash".to_owned()]);
    config.config.entrypoint = Some(vec!["/start".to_owned()]);
    let interpreter = Interpreter {
        path: "/usr/bin/python3.11".to_owned(),
        aliases: Vec::new(),
        minor: PythonMinor(11),
        full: Some("3.11.2".parse().unwrap()),
    };
    let accounts =
        Accounts { passwd: "root:x:0:0:root:/root:/bin/bash\n".to_owned(), group: "root:x:0:\n".to_owned() };
    BaseImage {
        origin: Some(BaseOrigin::Registry {
            reference: "reg.io/base:1".parse().unwrap(),
            digest: Digest::of(b"base"),
        }),
        config,
        layers: (0..layers).map(layer).collect(),
        homes: Vec::new(),
        facts: BaseFacts { interpreters: vec![interpreter], accounts, ..BaseFacts::empty() },
    }
}

fn planned(yaml: &str, lock: &PlatformLock, base: &BaseImage) -> Plan {
    plan_of(yaml, lock, base, &BTreeMap::new()).unwrap()
}

fn plan_of(
    yaml: &str,
    lock: &PlatformLock,
    base: &BaseImage,
    sources: &BTreeMap<String, SourceTree>,
) -> Result<Plan, PlanError> {
    plan(&recipe(yaml), &Platform::linux_amd64(), lock, base, sources, EPOCH)
}

/// Titles and reasons, as `imagewright plan` builds on them.
fn listing(plan: &Plan) -> String {
    let mut text = String::new();
    for layer in &plan.layers {
        writeln!(text, "{}: {}", layer.title, layer.because.join("; ")).unwrap();
    }
    text
}

fn files(plan: &Plan, title: &str) -> Vec<TreeFile> {
    let layer = plan.layers.iter().find(|layer| layer.title.starts_with(title)).unwrap();
    match &layer.content {
        Content::Tree(files) => files.clone(),
        other => panic!("{title} is no tree: {other:?}"),
    }
}

fn set() -> Vec<LockedPackage> {
    vec![
        package("numpy", "2.1.0", 20 << 20),
        package("pytz", "2025.1", 500_000),
        package("six", "1.16.0", 11_000),
    ]
}

#[test]
fn sizeable_packages_have_layers_and_small_ones_share() {
    let plan = planned("packages: [numpy]", &lock(set()), &base(2));
    insta::assert_snapshot!(listing(&plan));
}

#[test]
fn a_file_asks_whatever_its_name_is() {
    let plan = planned("requirements: every one.txt", &lock(set()), &base(2));
    let numpy = plan.layers.iter().find(|layer| layer.title == "numpy 2.1.0").unwrap();
    assert_eq!(numpy.because, ["every one.txt asks for numpy 2.1.0"]);
}

#[test]
fn adding_a_package_makes_one_layer_only() {
    let before = planned("packages: [numpy]", &lock(set()), &base(2));
    let mut packages = set();
    packages.push(package("httpx", "0.28.1", 70_000));
    let after = planned("packages: [numpy, httpx]", &lock(packages), &base(2));
    let keys = |plan: &Plan| plan.layers.iter().map(|layer| layer.key).collect::<Vec<_>>();
    let new: Vec<_> = after.layers.iter().filter(|layer| !keys(&before).contains(&layer.key)).collect();
    assert_eq!(new.len(), 1);
    assert!(new[0].inputs.contains_key("package httpx"), "{:?}", new[0].inputs);
}

#[test]
fn package_layers_do_not_depend_on_the_base() {
    let mut other = base(5);
    other.facts.accounts.passwd.push_str("app:x:1000:1000::/home/app:/bin/sh\n");
    let (here, there) = (planned("{}", &lock(set()), &base(2)), planned("{}", &lock(set()), &other));
    let different: Vec<&str> = here
        .layers
        .iter()
        .zip(&there.layers)
        .filter(|(a, b)| a.key != b.key)
        .map(|(layer, _)| layer.title.as_str())
        .collect();
    assert_eq!(different, ["skeleton (user, home, environment)"]);
}

#[test]
fn a_container_starts_as_flytekits_does() {
    let yaml = "{packages: [numpy], env: {A: '1', PATH: '/x:$PATH', B: '${A}2'}, entrypoint: []}";
    let plan = planned(yaml, &lock(set()), &base(2));
    insta::assert_json_snapshot!(plan.container);
    let kept = planned("{packages: [numpy]}", &lock(set()), &base(2));
    assert_eq!(kept.container.entrypoint.as_deref(), Some(&["/start".to_owned()][..]));
    assert_eq!(kept.container.cmd.as_deref(), Some(&["bash".to_owned()][..]));
}

#[test]
fn a_replaced_package_is_hidden_and_the_environment_goes_on() {
    let mut base = base(2);
    base.facts.environments = vec![Environment {
        prefix: "/opt/venv".to_owned(),
        minor: PythonMinor(11),
        full: None,
        system_site_packages: true,
    }];
    let site = "opt/venv/lib/python3.11/site-packages";
    base.facts.installed = vec![Installed {
        name: "numpy".parse().unwrap(),
        version: "1.26.4".to_owned(),
        site: site.to_owned(),
        metadata: "numpy-1.26.4.dist-info".to_owned(),
        roots: vec![format!("{site}/numpy"), "opt/venv/bin/f2py".to_owned()],
    }];
    let lock = PlatformLock {
        environment: EnvironmentLock { prefix: "/opt/venv".to_owned(), continues: true },
        replaced: vec![Distribution { name: "numpy".parse().unwrap(), version: "1.26.4".to_owned() }],
        ..lock(set())
    };
    let plan = planned("packages: [numpy]", &lock, &base);
    let hidden: Vec<String> = files(&plan, "removes").into_iter().map(|file| file.path).collect();
    let expected = ["opt/venv/bin/f2py", &format!("{site}/numpy"), &format!("{site}/numpy-1.26.4.dist-info")];
    assert_eq!(hidden, expected);
    assert!(plan.facts.installed.is_empty(), "what is replaced is no fact of the image");
    let skeleton = files(&plan, "skeleton");
    assert!(skeleton.iter().all(|file| !file.path.starts_with("opt")), "the environment is there already");
}

#[test]
fn an_image_that_no_engine_takes_is_refused() {
    let error = plan_of("{}", &lock(set()), &base(120), &BTreeMap::new()).unwrap_err();
    assert!(matches!(error, PlanError::TooManyLayers { layers: 123, most: 100 }), "{error}");
}

#[test]
fn an_interpreter_is_added_below_everything_else() {
    let archive = InterpreterArchive {
        version: "3.12.4".parse().unwrap(),
        path: "20240726/cpython-3.12.4+20240726-x86_64-unknown-linux-gnu-install_only.tar.gz"
            .parse()
            .unwrap(),
        sha256: Digest::of(b"archive"),
    };
    let interpreter = InterpreterLock {
        path: "/opt/python/3.12.4/bin/python3.12".to_owned(),
        minor: PythonMinor(12),
        full: Some("3.12.4".parse().unwrap()),
        source: InterpreterSource::Archive { archive },
    };
    let lock = PlatformLock { interpreter, ..lock(set()) };
    let (plan, elsewhere) = (planned("{}", &lock, &base(2)), planned("{}", &lock, &base(5)));
    let first = &plan.layers[0];
    assert_eq!(first.title, "Python 3.12.4 (python-build-standalone 20240726)");
    assert_eq!(first.key, elsewhere.layers[0].key, "it depends on nothing of the base");
    let settings = files(&plan, "skeleton").into_iter().find(|file| file.path.ends_with("pyvenv.cfg"));
    let TreeKind::File(content) = settings.unwrap().kind else { panic!("pyvenv.cfg is no file") };
    let text = String::from_utf8(content).unwrap();
    assert!(text.starts_with("home = /opt/python/3.12.4/bin\n"), "{text}");
    let found = plan.facts.interpreters.last().unwrap();
    assert_eq!((found.minor, &found.full), (PythonMinor(12), &Some("3.12.4".parse().unwrap())));
}

#[test]
fn a_base_without_certificates_gets_those_of_pip() {
    let mut packages = set();
    packages.push(package("pip", "26.0", 2 << 20));
    let (lock, mut bare) = (lock(packages), base(2));
    let plan = planned("{}", &lock, &bare);
    let link = "/opt/venv/lib/python3.11/site-packages/pip/_vendor/certifi/cacert.pem";
    let named = |plan: &Plan| plan.container.env_value("SSL_CERT_FILE").map(str::to_owned);
    let below_etc = |plan: &Plan| {
        let files = files(plan, "skeleton").into_iter().filter(|file| file.path.starts_with("etc/ssl"));
        files.map(|file| (file.path, file.kind)).collect::<Vec<_>>()
    };
    assert_eq!(named(&plan).as_deref(), Some("/etc/ssl/certs/ca-certificates.crt"));
    let expected = [
        ("etc/ssl".to_owned(), TreeKind::Directory),
        ("etc/ssl/certs".to_owned(), TreeKind::Directory),
        ("etc/ssl/certs/ca-certificates.crt".to_owned(), TreeKind::Symlink(link.to_owned())),
    ];
    assert_eq!(below_etc(&plan), expected);
    assert!(plan.facts.ca_bundle);

    bare.facts.links.push(Link { path: "etc/ssl/certs".to_owned(), target: "../pki/tls/certs".to_owned() });
    assert_eq!(below_etc(&planned("{}", &lock, &bare))[1..], expected[2..], "a link is not replaced");
    bare.facts.ca_bundle = true;
    let plan = planned("{}", &lock, &bare);
    assert_eq!((named(&plan), below_etc(&plan)), (None, Vec::new()), "the base's own are enough");
}

fn sources() -> BTreeMap<String, SourceTree> {
    let file = |text: &str, executable| SourceEntry::File {
        executable,
        size: text.len() as u64,
        digest: Digest::of(text.as_bytes()),
    };
    let tree = |entries: &[(&str, SourceEntry)]| SourceTree {
        entries: entries.iter().map(|(path, entry)| ((*path).to_owned(), entry.clone())).collect(),
    };
    let link = SourceEntry::Link { target: "x/run.sh".to_owned() };
    let data = tree(&[
        (".", SourceEntry::Folder),
        ("a.csv", file("1,2", false)),
        ("run", link),
        ("x", SourceEntry::Folder),
        ("x/run.sh", file("true", true)),
    ]);
    BTreeMap::from([
        ("copy: src/data".to_owned(), data),
        ("copy: a.toml".to_owned(), tree(&[(".", file("a = 1", false))])),
        ("source_root".to_owned(), tree(&[(".", SourceEntry::Folder), ("main.py", file("", false))])),
    ])
}

/// What a layer's files are: mode, owner, path.
fn copied(plan: &Plan, title: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for TreeFile { path, kind, mode, uid, gid } in files(plan, title) {
        let what = match kind {
            TreeKind::Directory => "/".to_owned(),
            TreeKind::Symlink(target) => format!(" -> {target}"),
            TreeKind::Copied { source, below, .. } => format!(" < {source} {below}"),
            other => panic!("{other:?}"),
        };
        lines.push(format!("{mode:o} {uid}:{gid} {path}{what}"));
    }
    lines
}

#[test]
fn copies_are_the_users_below_root() {
    let yaml = "{source_root: src, source_copy_mode: ALL, copy: [src/data, ./a.toml]}";
    let plan = plan_of(yaml, &lock(set()), &base(2), &sources()).unwrap();
    let listing = listing(&plan);
    assert_eq!(
        listing.lines().rev().take(3).collect::<Vec<_>>(),
        [
            "copy a.toml: copy[1] has a.toml copied to /root/a.toml",
            "copy src/data: copy[0] has src/data copied to /root/src/data",
            "source_root: source_root is copied to /root",
        ]
    );
    let expected = ["700 1000:1000 root/", "644 1000:1000 root/main.py < source_root main.py"];
    assert_eq!(copied(&plan, "source_root"), expected);
    let expected = [
        "700 1000:1000 root/",
        "755 1000:1000 root/src/",
        "755 1000:1000 root/src/data/",
        "644 1000:1000 root/src/data/a.csv < copy: src/data a.csv",
        "777 1000:1000 root/src/data/run -> x/run.sh",
        "755 1000:1000 root/src/data/x/",
        "755 1000:1000 root/src/data/x/run.sh < copy: src/data x/run.sh",
    ];
    assert_eq!(copied(&plan, "copy src/data"), expected);
    let expected = ["700 1000:1000 root/", "644 1000:1000 root/a.toml < copy: a.toml ."];
    assert_eq!(copied(&plan, "copy a.toml"), expected);
}

#[test]
fn an_image_of_flyte_2_starts_as_its_base_does() {
    let yaml = "{packages: [numpy], env: {PATH: '/x:$PATH'}, commands: [make], source_root: /tmp, source_copy_mode: NO_COPY,\
                builder_options: {layout: flyte, copy: [{source: src/data, destination: ./data},\
                {source: a.toml, destination: /etc}]OPTIONS}}";
    let mut base = base(2);
    base.config.config.working_dir = Some("/app".to_owned());
    let of = |options: &str, base: &BaseImage| {
        let plan = plan_of(&yaml.replace("OPTIONS", options), &lock(set()), base, &sources()).unwrap();
        let command = plan.layers.last().unwrap().execution().unwrap().working_directory.clone();
        let container = &plan.container;
        let starts = (container.user.clone().unwrap(), container.working_dir.clone().unwrap());
        assert_eq!(container.env_value("PYTHONPATH"), None);
        (starts, command, plan)
    };
    let text = |user: &str, directory: &str| (user.to_owned(), directory.to_owned());
    // Nobody is made where nobody asks for it, and folders stay whose they were.
    let (starts, command, plan) = of("", &base);
    assert_eq!((starts, command.as_str()), (text("root", "/app"), "/app"));
    assert!(files(&plan, "skeleton").iter().all(|file| file.path.starts_with("opt")));
    let path = plan.container.env_value("PATH").unwrap();
    assert_eq!(path, "/x:/opt/venv/bin:/usr/bin:/bin:/usr/local/nvidia/bin:/usr/local/cuda/bin");
    assert_eq!(copied(&plan, "copy src/data to data")[..2], ["755 0:0 app/", "755 0:0 app/data/"]);
    assert_eq!(copied(&plan, "copy a.toml to /etc"), ["755 0:0 etc/", "644 0:0 etc/a.toml < copy: a.toml ."]);
    // What is over such an image keeps the order of its search path.
    base.config.config.set_env("PATH", path);
    base.facts.accounts.passwd.push_str("flyte:x:1000:1000::/home/flyte:/bin/bash\n");
    let (starts, _, plan) = of(", working_directory: sub", &base);
    assert_eq!(starts, text("root", "/app/sub"));
    assert_eq!(plan.container.env_value("PATH").unwrap(), format!("/x:{path}"));
    assert_eq!(
        copied(&plan, "copy src/data")[..3],
        ["755 0:0 app/", "755 0:0 app/sub/", "755 1000:1000 app/sub/data/"]
    );
    let (starts, _, plan) = of(", user: flyte, working_directory: /home/flyte", &base);
    assert_eq!(starts, text("flyte", "/home/flyte"));
    let homes: Vec<(String, u64)> =
        files(&plan, "skeleton").into_iter().map(|file| (file.path, file.uid)).collect();
    assert_eq!(homes[..2], [("home".to_owned(), 0), ("root".to_owned(), 1000)]);
}

#[test]
fn copies_with_options_have_their_place_owner_and_mode() {
    let mut base = base(2);
    base.facts.links.push(Link { path: "lib".to_owned(), target: "usr/lib".to_owned() });
    base.facts.accounts.group.push_str("staff:x:50:\n");
    let of = |options: &str| {
        let yaml = format!("builder_options: {{copy: [{{source: {options}}}]}}");
        let plan = plan_of(&yaml, &lock(set()), &base, &sources())?;
        Ok::<_, PlanError>(copied(&plan, "copy "))
    };
    let check = |options: &str, expected: &[&str]| assert_eq!(of(options).unwrap(), expected, "{options}");
    let toml = "< copy: a.toml .";
    check(
        "a.toml, destination: /etc/app/, owner: root, mode: '0600'",
        &["755 0:0 etc/", "755 0:0 etc/app/", &format!("600 0:0 etc/app/a.toml {toml}")],
    );
    check(
        "a.toml, destination: /tmp/x.toml, owner: '7:staff'",
        &["1777 0:0 tmp/", &format!("644 7:50 tmp/x.toml {toml}")],
    );
    check(
        "a.toml, destination: /lib/x, owner: flytekit:0",
        &["755 0:0 usr/", "755 0:0 usr/lib/", &format!("644 1000:0 usr/lib/x {toml}")],
    );
    check(
        "src/data, destination: data, mode: '0640'",
        &[
            "700 1000:1000 root/",
            "750 1000:1000 root/data/",
            "640 1000:1000 root/data/a.csv < copy: src/data a.csv",
            "777 1000:1000 root/data/run -> x/run.sh",
            "750 1000:1000 root/data/x/",
            "640 1000:1000 root/data/x/run.sh < copy: src/data x/run.sh",
        ],
    );
    let error = of("a.toml, owner: nobody-knows").unwrap_err();
    assert_eq!(error.to_string(), "builder_options.copy[0]: the image has no user `nobody-knows`");
    let error = of("a.toml, owner: 'root:none'").unwrap_err();
    assert_eq!(error.to_string(), "builder_options.copy[0]: the image has no group `none`");
    let missing = of("b.toml").unwrap_err();
    assert!(matches!(missing, PlanError::NoSource { .. }), "{missing}");
}

#[test]
fn many_copies_share_a_layer_in_which_the_last_wins() {
    let copy = |count: usize| {
        let entries = (0..count).map(|_| "{source: a.toml, destination: a/b}".to_owned());
        let more =
            ["{source: a.toml, destination: a}", "{source: src/data, destination: b}"].map(str::to_owned);
        let entries: Vec<String> = entries.chain(more).collect();
        let yaml = format!("builder_options: {{copy: [{}]}}", entries.join(", "));
        plan_of(&yaml, &lock(set()), &base(2), &sources()).unwrap()
    };
    assert_eq!(copy(14).layers.len(), copy(0).layers.len() + 14);
    let plan = copy(20);
    assert_eq!(plan.layers.len(), copy(0).layers.len() - 1);
    let expected = ["700 1000:1000 root/", "644 1000:1000 root/a < copy: a.toml .", "755 1000:1000 root/b/"];
    assert_eq!(copied(&plan, "22 copies")[..3], expected);
}
