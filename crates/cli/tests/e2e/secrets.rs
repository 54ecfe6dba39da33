//! What a build is trusted with is used, and is found nowhere afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use imagewright_layer::tar_stream;
use imagewright_oci::{Digest, MediaType};
use imagewright_testkit::index::TestIndex;
use imagewright_testkit::registry::TestRegistry;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Offline, Peers, Report, Workshop, is_skipped_without, run, run_within, small, spawn};

const LIMIT: Duration = Duration::from_mins(5);

const PASSWORD: &str = "hunter-of-indexes";
/// `tester:` and the password.
const ENCODED: &str = "dGVzdGVyOmh1bnRlci1vZi1pbmRleGVz";
const FOR_APT: &str = "w0rd-for-packages";
const ENCODED_FOR_APT: &str = "dGVzdGVyOncwcmQtZm9yLXBhY2thZ2Vz";
const TOKEN: &str = "t0ken-in-a-file";
const VARIABLE: &str = "v4lue-of-a-variable";
const CARRIED: &str = "c4rried-by-a-variable";
/// All of them, and what is sent of them.
const SECRETS: [&str; 7] = [PASSWORD, ENCODED, FOR_APT, ENCODED_FOR_APT, TOKEN, VARIABLE, CARRIED];
/// Those that are in the environment of no process.
const IN_FILES: [&str; 5] = [PASSWORD, ENCODED, FOR_APT, ENCODED_FOR_APT, TOKEN];

/// A build backend that is trusted with secrets, and needs a package of the index to be imported.
const BACKEND: &str = "\
import hashlib, os, zipfile
import beta

def build_wheel(folder, settings=None, metadata=None):
    read = lambda path: open(path).read()
    secrets = read('/root/.netrc') + read('/run/secrets/token') + os.environ['API_KEY']
    print('the build has', secrets)
    open('left', 'w').write('what a backend leaves goes with its source')
    name = 'delta-1.0-py3-none-any.whl'
    files = {
        'delta.py': f'SUM = {hashlib.sha256(secrets.encode()).hexdigest()!r}',
        'delta-1.0.dist-info/METADATA': 'Metadata-Version: 2.1\\nName: delta\\nVersion: 1.0\\n',
        'delta-1.0.dist-info/WHEEL': 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n',
    }
    files['delta-1.0.dist-info/RECORD'] = ''.join(f'{path},,\\n' for path in files)
    with zipfile.ZipFile(os.path.join(folder, name), 'w') as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
";
const PROJECT: &str =
    "[build-system]\nrequires = ['beta']\nbuild-backend = 'backend'\nbackend-path = ['.']\n";

/// An index and an archive of Debian packages with a password each, and a project that knows both.
struct World {
    workshop: Workshop,
    registry: TestRegistry,
    index: TestIndex,
    archive: TestIndex,
}

impl World {
    fn new() -> Self {
        let (index, archive) = (TestIndex::start(), TestIndex::start());
        for wheel in ["pip", "setuptools", "alpha", "beta"] {
            index.add(&small(wheel, "99.0"));
        }
        index.add_source("delta", "1.0", None, &[("pyproject.toml", PROJECT), ("backend.py", BACKEND)]);
        index.ask_for_password(ENCODED);
        let workshop = Workshop::new();
        add_package(&archive, &workshop.path("package"));
        archive.ask_for_password(ENCODED_FOR_APT);
        let login =
            |machine: &str, password: &str| format!("machine {machine} login tester password {password}\n");
        let source = format!("deb [trusted=yes] http://{}/files ./\n", archive.host());
        workshop.write("secret/netrc", login("127.0.0.1", PASSWORD));
        workshop.write("secret/apt", login(&format!("http://{}", archive.host()), FOR_APT));
        workshop.write("secret/token", format!("{TOKEN}\n"));
        workshop.write("secret/sources", source);
        workshop.write("secret/nothing", "");
        Self { workshop, registry: TestRegistry::start(), index, archive }
    }

    /// Writes a spec of what only secrets make possible.
    fn spec(&self, peers: &Peers) {
        let text = format!(
            "name: secrets\nregistry: {}\nbase_image: {}/debian-python:bookworm\npip_index: {index}\n\
             packages: [alpha, delta]\napt_packages: [hidden-gem]\npip_secret_mounts:\n\
             - [secret/netrc, /root/.netrc]\n- [secret/apt, /etc/apt/auth.conf.d/tests.conf]\n\
             - [secret/sources, /etc/apt/sources.list.d/tests.list]\n\
             - [secret/nothing, /etc/apt/sources.list.d/debian.sources]\n\
             - [secret/token, /run/secrets/token]\n- ['env:CARRIED', /run/secrets/carried]\n\
             - ['env:API_KEY', 'env:API_KEY']\ncommands:\n\
             - cat /root/.netrc /etc/apt/auth.conf.d/tests.conf /run/secrets/*; echo \"the key is $API_KEY\"\n\
             - cat /root/.netrc /run/secrets/token /run/secrets/carried | sha256sum > /opt/sums\n\
             - printf %s \"$API_KEY\" | sha256sum >> /opt/sums\n\
             - uv pip install --index-url {index} beta\n- hidden-gem > /opt/gem\n",
            self.registry.host(),
            peers.bases,
            index = self.index.url()
        );
        self.workshop.write("image.yaml", text);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.workshop.command(arguments);
        let temporary = self.workshop.path("temporary");
        fs_err::create_dir_all(&temporary).unwrap();
        command.env("API_KEY", VARIABLE).env("CARRIED", CARRIED);
        // Journals and caches of whatever looks for the user's home.
        command.env("TMPDIR", &temporary).env("HOME", &temporary);
        command
    }

    /// Where a secret is, among all that is left of builds on this machine.
    fn left_on_this_machine(&self) -> Vec<String> {
        let folders = [self.workshop.store_path().to_owned(), self.workshop.path("temporary")];
        folders.iter().flat_map(|folder| holding(folder)).collect()
    }
}

/// Puts a Debian package with a program, and the list of packages, into an archive.
fn add_package(archive: &TestIndex, folder: &Path) {
    let program = folder.join("root/usr/bin/hidden-gem");
    let control = folder.join("root/DEBIAN/control");
    let described = "Package: hidden-gem\nVersion: 1.0\nArchitecture: all\nMaintainer: tests <tests@localhost>\n\
                     Description: a package behind a password\n";
    for path in [&program, &control] {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    }
    fs_err::write(&program, "#!/bin/sh\necho a gem\n").unwrap();
    run("chmod", &["755", program.to_str().unwrap()]);
    fs_err::write(&control, described).unwrap();
    let (root, file) = (folder.join("root"), folder.join("gem.deb"));
    run("dpkg-deb", &["--root-owner-group", "--build", root.to_str().unwrap(), file.to_str().unwrap()]);
    let package = fs_err::read(&file).unwrap();
    let (size, hash) = (package.len(), Digest::of(&package));
    let list = format!("{described}Filename: ./gem.deb\nSize: {size}\nSHA256: {}\n", hash.hex());
    archive.add_file("./Packages", list.as_bytes());
    archive.add_file("./gem.deb", &package);
}

/// The files below a folder that have a secret in them.
fn holding(folder: &Path) -> Vec<String> {
    // As arguments, other tests would see them.
    let patterns = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(patterns.path(), SECRETS.join("\n")).unwrap();
    let arguments =
        ["--recursive", "--files-with-matches", "--binary-files=text", "--fixed-strings", "--file"];
    let found = run_within(grep().args(arguments).arg(patterns.path()).arg(folder), LIMIT);
    assert!(matches!(found.code, Some(0 | 1)) || found.stderr.contains("No such file"), "{found:?}");
    found.stdout.lines().map(str::to_owned).collect()
}

#[expect(clippy::disallowed_methods, reason = "peers are programs")]
fn grep() -> Command {
    Command::new("grep")
}

/// Writes down all that a registry keeps, and what it packs.
fn dump(registry: &TestRegistry, folder: &Path) {
    fs_err::create_dir_all(folder).unwrap();
    let contents = registry.contents();
    assert!(contents.len() > 8, "configuration, manifests, lock, layers");
    for (index, bytes) in contents.iter().enumerate() {
        fs_err::write(folder.join(index.to_string()), bytes).unwrap();
        if bytes.starts_with(b"\x1f\x8b") {
            let mut tar = tar_stream(&bytes[..], &MediaType::OciLayerGzip).unwrap();
            let mut file = fs_err::File::create(folder.join(format!("{index}.tar"))).unwrap();
            std::io::copy(&mut tar, &mut file).unwrap();
        }
    }
}

/// Looks at every process of the machine until it is told to stop; what it should not have seen.
fn watch(is_over: &AtomicBool) -> BTreeSet<String> {
    let (mut seen, mut known) = (BTreeSet::new(), BTreeMap::new());
    let has = |text: &[u8], secrets: &[&str]| {
        secrets.iter().any(|secret| text.windows(secret.len()).any(|part| part == secret.as_bytes()))
    };
    while !is_over.load(Ordering::Relaxed) {
        for entry in fs_err::read_dir("/proc").unwrap().flatten() {
            let name = entry.file_name();
            if !name.as_bytes()[0].is_ascii_digit() {
                continue;
            }
            // A process that has ended meanwhile has neither.
            let read = |file: &str| fs_err::read(entry.path().join(file)).unwrap_or_default();
            let arguments = read("cmdline");
            if known.get(&name) == Some(&arguments) {
                continue;
            }
            seen.extend(has(&arguments, &SECRETS).then(|| format!("{name:?} has one as an argument")));
            let environment = read("environ");
            seen.extend(has(&environment, &IN_FILES).then(|| format!("{name:?} has one in its environment")));
            known.insert(name, arguments);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    seen
}

#[test]
fn are_used_and_found_nowhere() {
    let Some(peers) = Peers::find() else { return };
    if is_skipped_without("dpkg-deb") {
        return;
    }
    let world = World::new();
    world.spec(&peers);
    let is_over = AtomicBool::new(false);
    let (built, seen) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&is_over));
        let built =
            run_within(&mut world.command(&["build", "image.yaml", "--json", "--progress", "json"]), LIMIT);
        is_over.store(true, Ordering::Relaxed);
        (built, watching.join().unwrap())
    });
    let built = built.expect(0);
    let first = Report::parse(&built.stdout);
    assert_eq!(seen, BTreeSet::new());
    assert!(built.stderr.contains("the key is ***"), "{}", built.stderr);
    assert!(built.stderr.contains("the build has ***"), "{}", built.stderr);
    let locked = run_within(&mut world.command(&["lock", "image.yaml", "-o", "-"]), LIMIT).expect(0);
    for text in [&built.stdout, &built.stderr, &locked.stdout, &locked.stderr] {
        assert!(!SECRETS.iter().any(|secret| text.contains(secret)), "{text}");
    }

    assert_eq!(world.left_on_this_machine(), Vec::<String>::new());
    let kept = world.workshop.path("registry");
    dump(&world.registry, &kept);
    assert_eq!(holding(&kept), Vec::<String>::new());
    let secrets = world.workshop.project().join("secret");
    assert_eq!(holding(&secrets).len(), 3, "what looks for them finds them");

    let read = |name: &str| fs_err::read_to_string(secrets.join(name)).unwrap();
    let sum = |text: &str| format!("{}  -\n", Digest::of(text.as_bytes()).hex());
    let sums = sum(&(read("netrc") + &read("token") + CARRIED)) + &sum(VARIABLE);
    let of_build = Digest::of((read("netrc") + &read("token") + VARIABLE).as_bytes()).hex();
    let look = "cat /opt/sums /opt/gem; python -c 'import alpha, beta, delta; print(delta.SUM)'; ls -A /run /etc/apt/auth.conf.d /root";
    let run = |command: &str| {
        run_within(&mut world.command(&["run", "image.yaml", "--", "sh", "-c", command]), LIMIT)
            .expect(0)
            .stdout
    };
    let said = run(look);
    assert!(said.starts_with(&format!("{sums}a gem\n{of_build}\n")), "{said}");
    assert!(!said.contains("netrc") && !said.contains("tests.conf") && !said.contains("secrets"), "{said}");

    world.workshop.write("secret/token", "another\n");
    let again =
        run_within(&mut world.command(&["build", "image.yaml", "--json", "--force"]), LIMIT).expect(0);
    let again = Report::parse(&again.stdout);
    assert_eq!((again.digest(), again.produced().len()), (first.digest(), 0), "they are in no key");
    assert!(!world.archive.requests().is_empty() && !world.index.requests().is_empty());
}

#[test]
fn are_not_in_the_error_of_a_command() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    // No other test has it, which looks for those of all processes.
    let token = "t0ken-of-an-error";
    workshop.write("token", format!("{token}\n"));
    workshop.write(
        "image.yaml",
        format!(
            "name: failing\nbase_image: {}/debian-python:bookworm\npip_secret_mounts: [[token, 'env:TOKEN']]\n\
             commands: ['echo \"got $TOKEN, and fail\"; exit 3']\n",
            peers.bases
        ),
    );
    let failed = workshop.run(&["build", "image.yaml", "--progress", "plain"]).expect(5);
    failed.says(&["    got ***, and fail"]).never_says(&[token]);
}

#[test]
fn are_nowhere_when_they_are_in_the_address_of_an_index() {
    let Some(world) = Offline::new() else { return };
    world.index.ask_for_password(ENCODED);
    let (host, index) = (world.registry.host(), world.index.host());
    let settings = format!("[global]\nindex-url = http://tester:{PASSWORD}@{index}/simple\n");
    world.workshop.write("secret/pip.conf", settings);
    let spec = format!(
        "name: app\nregistry: {host}\nbase_image: {host}/base:1\npackages: [gamma]\n\
         builder_options: {{bytecode: false}}\npip_secret_mounts: [[secret/pip.conf, /root/.config/pip/pip.conf]]\n"
    );
    world.workshop.write("image.yaml", &spec);
    let built = world.workshop.run(&["build", "image.yaml", "--json", "--progress", "json"]).expect(0);
    world.workshop.write("image.yaml", spec.replace("[gamma]", "[nosuch-package]"));
    let failed = world.workshop.run(&["build", "image.yaml"]).expect(3).says(&["nosuch-package"]);
    for text in [&built.stdout, &built.stderr, &failed.stderr] {
        assert!(!SECRETS.iter().any(|secret| text.contains(secret)), "{text}");
    }
    assert_eq!(holding(world.workshop.store_path()), Vec::<String>::new());
    let kept = world.workshop.path("registry");
    dump(&world.registry, &kept);
    assert_eq!(holding(&kept), Vec::<String>::new());
}

#[test]
fn are_gone_when_a_build_is_killed_while_it_resolves() {
    let Some(world) = Offline::new() else { return };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let index = format!("http://tester:{PASSWORD}@{}/simple", silent.local_addr().unwrap());
    world.workshop.write("pip.conf", format!("[global]\nindex-url = {index}\n"));
    let host = world.registry.host();
    world.workshop.write(
        "image.yaml",
        format!(
            "name: app\nregistry: {host}\nbase_image: {host}/base:1\npackages: [gamma]\n\
             builder_options: {{bytecode: false}}\npip_secret_mounts: [[pip.conf, /etc/pip.conf]]\n"
        ),
    );
    let mut child = spawn(&mut world.workshop.command(&["build", "image.yaml"]));
    let (mut asking, _) = silent.accept().unwrap();
    let mut start = [0; 4];
    asking.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"GET ");
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    let store = world.workshop.store_path();
    assert_eq!(holding(store), Vec::<String>::new());
    let staged: PathBuf = store.join("staging");
    assert!(staged.is_dir(), "it was killed in the middle");
}

#[test]
fn one_that_is_missing_is_told_before_any_work() {
    let Some(world) = Offline::new() else { return };
    let build = |secret: &str| {
        world.spec_with(&["gamma"], &format!("pip_secret_mounts: [[pip.conf, /etc/pip.conf], {secret}]\n"));
        world.workshop.run(&["build", "image.yaml"]).expect(2)
    };
    world.workshop.write("pip.conf", "");
    let folder = world.workshop.project();
    build("[none, /x]").says(&[
        "error: pip_secret_mounts[1]: there is no file",
        "project/none\n",
        "hint: make",
    ]);
    build("[., /x]").says(&["error: pip_secret_mounts[1]: cannot read"]);
    build("['env:NOT_SET_AT_ALL', 'env:A']")
        .says(&["pip_secret_mounts[1]: the variable NOT_SET_AT_ALL is not set"]);
    fs_err::write(folder.join("binary"), b"\xff\0").unwrap();
    build("[binary, 'env:A']").says(&[
        "pip_secret_mounts[1]: what is in",
        "is no text",
        "hint: put it into a file",
    ]);
    assert!(world.index.requests().is_empty(), "packages were looked for");
    assert!(world.registry.tags("app").is_empty());
}
