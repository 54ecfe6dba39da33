use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use imagewright_oci::{DiffId, Digest};
use imagewright_sandbox::RunRequest;
pub(crate) use imagewright_testkit::peers::may_be_root;
use tempfile::TempDir;

use crate::image::{Image, Tar};

/// Who calls the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Root,
    /// An unprivileged user to whom `/etc/subuid` grants ids.
    Subordinate,
    /// The same user, where there is no newuidmap.
    NoTools,
    /// Root without CAP_SYS_ADMIN, as in a pod.
    Chrooted,
}

impl Who {
    pub(crate) const ALL: [Self; 4] = [Self::Root, Self::Subordinate, Self::NoTools, Self::Chrooted];
    /// Those who can make namespaces.
    pub(crate) const NAMESPACED: [Self; 3] = [Self::Root, Self::Subordinate, Self::NoTools];

    fn is_root(self) -> bool {
        matches!(self, Self::Root | Self::Chrooted)
    }

    pub(crate) fn mode(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Subordinate => "subordinate-ids",
            Self::NoTools => "single-id",
            Self::Chrooted => "chroot",
        }
    }
}

/// Not an account of the machine: it exists in files that are mounted over the machine's for one process.
const USER: u32 = 47_110;

/// A caller with a directory of its own.
pub(crate) struct Caller {
    pub(crate) who: Who,
    home: TempDir,
    /// Whether its directory is an overlay for it, as all directories in a container are.
    contained: bool,
}

/// Mounts what an unprivileged or contained caller sees (`$0` is its directory) and starts what follows.
const ENTER: &str = r#"
cd "$0" || exit 99
case $1 in
contained) mount -t overlay overlay -o "lowerdir=$0-lower,upperdir=$0,workdir=$0-work" "$0" && cd "$0" || exit 98;;
esac
for file in passwd subuid subgid; do mount --bind "$file" "/etc/$file" || exit 97; done
PATH=$2
cd /
shift 2
exec "$@"
"#;

impl Caller {
    pub(crate) fn new(who: Who) -> Self {
        Self::made(who, false)
    }

    /// A caller whose files are on an overlay, as in a container.
    pub(crate) fn contained(who: Who) -> Self {
        Self::made(who, true)
    }

    fn made(who: Who, contained: bool) -> Self {
        let home = tempfile::Builder::new().prefix("imagewright-sandbox-").tempdir_in("/var/tmp").unwrap();
        fs_err::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let caller = Self { who, home, contained };
        fs_err::create_dir(caller.path("")).unwrap();
        fs_err::create_dir(caller.home.path().join("home-lower")).unwrap();
        fs_err::create_dir(caller.home.path().join("home-work")).unwrap();
        fs_err::copy(helper(), caller.path("helper")).unwrap();
        for (file, line) in [
            ("passwd", format!("tester:x:{USER}:{USER}::/:/bin/sh\n")),
            ("subuid", "tester:3000000:65536\n".to_owned()),
            ("subgid", "tester:4000000:65536\n".to_owned()),
        ] {
            fs_err::write(caller.path(file), line).unwrap();
        }
        if !who.is_root() {
            chown(caller.path(""), Some(USER), Some(USER)).unwrap();
        }
        caller.directory("scratch");
        caller
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join("home").join(name)
    }

    /// Makes a directory that belongs to the caller.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs_err::create_dir(&path).unwrap();
        if !self.who.is_root() {
            chown(&path, Some(USER), Some(USER)).unwrap();
        }
        path
    }

    /// The helper program, started as this caller.
    pub(crate) fn command(&self, arguments: &[&OsStr]) -> Command {
        let helper = self.path("helper");
        if self.who == Who::Root && !self.contained {
            let mut command = command(helper.as_os_str());
            command.args(arguments);
            return command;
        }
        let mut command = command(OsStr::new("unshare"));
        command.args(["--mount", "sh", "-c", ENTER]).arg(self.home.path().join("home"));
        command.arg(if self.contained { "contained" } else { "-" });
        command.arg(if self.who == Who::NoTools { "/nowhere" } else { "/usr/bin:/bin" });
        if self.who == Who::Chrooted {
            command.args(["/usr/bin/setpriv", "--bounding-set=-sys_admin"]);
        }
        if !self.who.is_root() {
            command.args(["/usr/bin/setpriv", "--clear-groups"]);
            command.args([format!("--reuid={USER}"), format!("--regid={USER}")]);
        }
        command.arg(helper);
        command.args(arguments);
        command
    }

    pub(crate) fn call(&self, arguments: &[&OsStr], input: &[u8]) -> Output {
        let mut command = self.command(arguments);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // A caller that refuses early does not read all of its input.
        drop(child.stdin.take().unwrap().write_all(input));
        child.wait_with_output().unwrap()
    }

    pub(crate) fn unpack(&self, layer: &Tar, name: &str) -> (PathBuf, Output) {
        let directory = self.directory(name);
        let digest = layer.diff_id.to_string();
        let output = self.call(
            &[
                "unpack".as_ref(),
                self.who.mode().as_ref(),
                self.path("scratch").as_os_str(),
                digest.as_ref(),
                directory.as_os_str(),
            ],
            &layer.bytes,
        );
        (directory, output)
    }

    /// Unpacks all layers; the request starts `script` in a shell as root.
    pub(crate) fn request(&self, image: &Image, script: &str) -> RunRequest {
        let roots = image.layers.iter().enumerate().map(|(index, layer)| {
            let (directory, output) = self.unpack(layer, &format!("root-{index}"));
            assert!(output.status.success(), "{:?}: {}", self.who, text(&output.stderr));
            directory
        });
        RunRequest {
            roots: roots.collect(),
            scratch: self.path("scratch"),
            argv: ["sh", "-c", script].map(str::to_owned).into(),
            env: vec!["PATH=/bin".to_owned()],
            cwd: "/".into(),
            user: String::new(),
            binds: Vec::new(),
            secrets: Vec::new(),
            network: imagewright_sandbox::Network::Host,
            is_of_series: false,
        }
    }

    fn run_arguments(&self, request: &RunRequest) -> PathBuf {
        let file = self.path("request.json");
        fs_err::write(&file, serde_json::to_vec(request).unwrap()).unwrap();
        file
    }

    pub(crate) fn run(&self, request: &RunRequest, input: &[u8]) -> Output {
        let file = self.run_arguments(request);
        let output = self.call(&["run".as_ref(), self.who.mode().as_ref(), file.as_os_str()], input);
        assert_eq!(
            entries(&request.scratch),
            Vec::<String>::new(),
            "{:?}: the scratch directory is empty",
            self.who
        );
        output
    }

    /// Runs a step; what it printed, and the layer of what it changed with the list of its entries.
    pub(crate) fn step(&self, request: &RunRequest) -> (Output, Tar, String) {
        let (file, tar) = (self.run_arguments(request), self.path("step.tar"));
        let mode = self.who.mode();
        let output =
            self.call(&["step".as_ref(), mode.as_ref(), file.as_os_str(), tar.as_os_str()], b"not read");
        if !request.is_of_series {
            assert_eq!(entries(&request.scratch), Vec::<String>::new(), "{:?}: scratch is empty", self.who);
        }
        let bytes = fs_err::read(&tar)
            .unwrap_or_else(|_| panic!("{:?}: {} {}", self.who, text(&output.stdout), text(&output.stderr)));
        let list = fs_err::read_to_string(tar.with_extension("list")).unwrap();
        (output, Tar { diff_id: DiffId(Digest::of(&bytes)), bytes }, list)
    }

    /// As [`Caller::start`], on a terminal; what is written to the child's standard input is typed there.
    pub(crate) fn start_on_terminal(&self, request: &RunRequest) -> Child {
        let file = self.run_arguments(request);
        let run = self.command(&["run".as_ref(), self.who.mode().as_ref(), file.as_os_str()]);
        let words = std::iter::once(run.get_program()).chain(run.get_args());
        let quoted: Vec<_> =
            words.map(|word| format!("'{}'", text(word.as_encoded_bytes()).replace('\'', "'\\''"))).collect();
        command(OsStr::new("script"))
            .args([
                "--quiet",
                "--return",
                "--flush",
                "--command",
                &format!("exec {}", quoted.join(" ")),
                "/dev/null",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    pub(crate) fn start(&self, request: &RunRequest) -> Child {
        let file = self.run_arguments(request);
        Self::started(self.command(&["run".as_ref(), self.who.mode().as_ref(), file.as_os_str()]))
    }

    pub(crate) fn start_step(&self, request: &RunRequest) -> Child {
        let (file, tar) = (self.run_arguments(request), self.path("step.tar"));
        let mode = self.who.mode();
        Self::started(self.command(&["step".as_ref(), mode.as_ref(), file.as_os_str(), tar.as_os_str()]))
    }

    /// Stops a step when it says something.
    pub(crate) fn stop_step(&self, request: &RunRequest) -> Output {
        let file = self.run_arguments(request);
        self.call(&["stop".as_ref(), self.who.mode().as_ref(), file.as_os_str()], b"")
    }

    fn started(mut command: Command) -> Child {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the tests start processes")]
pub(crate) fn command(program: &OsStr) -> Command {
    Command::new(program)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn entries(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs_err::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The example program, which is built with the tests, beside them.
fn helper() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("examples/caller")
}
