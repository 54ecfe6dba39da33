//! Who runs the command: root, a user with subordinate ids, and the same user where there is no newuidmap.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use imagewright_testkit::peers::{has_network, may_be_root};
use tempfile::TempDir;

use crate::support::{Run, needed, variable};

/// Who runs the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Root,
    /// An unprivileged user to whom `/etc/subuid` grants ids.
    Subordinate,
    /// The same user, where newuidmap cannot be executed.
    NoTools,
    /// Root without CAP_SYS_ADMIN, as in a pod.
    Chrooted,
}

/// Not an account of the machine: it exists in files that are mounted over the machine's for one process.
const USER: u32 = 47_111;

/// A user with a home, in which the store is, too.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) who: Who,
    folder: TempDir,
}

/// Mounts what the unprivileged user sees (`$0` is the folder) and becomes that user. What would hide newuidmap
/// by `PATH` would hide Python as well.
const ENTER: &str = r#"
for file in passwd subuid subgid; do mount --bind "$0/$file" "/etc/$file" || exit 97; done
if [ "$1" = hidden ]; then
    for tool in newuidmap newgidmap; do mount --bind /dev/null "$(command -v $tool)" || exit 98; done
fi
if [ "$1" = chrooted ]; then
    shift 2
    exec setpriv --bounding-set=-sys_admin "$@"
fi
user=$2
shift 2
exec setpriv --clear-groups --reuid="$user" --regid="$user" "$@"
"#;

impl User {
    pub(crate) fn new(who: Who) -> Self {
        let folder = tempfile::Builder::new().prefix("imagewright-cli-").tempdir_in("/var/tmp").unwrap();
        // In memory: every layer that is unpacked is synced, and that waits for whatever else the machine writes.
        let mounted =
            program("mount").args(["-t", "tmpfs", "-o", "mode=755", "tmpfs"]).arg(folder.path()).status();
        assert!(mounted.unwrap().success());
        let user = Self { who, folder };
        for (file, line) in [
            ("passwd", format!("tester:x:{USER}:{USER}::/:/bin/sh\n")),
            ("subuid", "tester:5000000:65536\n".to_owned()),
            ("subgid", "tester:6000000:65536\n".to_owned()),
        ] {
            fs_err::write(user.folder.path().join(file), line).unwrap();
        }
        for folder in [user.home(), user.temporary()] {
            fs_err::create_dir(&folder).unwrap();
            user.owns(&folder);
        }
        fs_err::copy(env!("CARGO_BIN_EXE_imagewright"), user.folder.path().join("imagewright")).unwrap();
        user
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// What `TMPDIR` says.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.home().join("temporary")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.home().join("store")
    }

    /// Writes a file in the home, which is the working directory, too.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.home().join(name);
        fs_err::write(&path, content).unwrap();
        self.owns(&path);
        path
    }

    /// The mode that the sandbox chooses for this user.
    pub(crate) fn mode(&self) -> &'static str {
        match self.who {
            Who::Root => "root",
            Who::Subordinate => "subordinate-ids",
            Who::NoTools => "single-id",
            Who::Chrooted => "chroot",
        }
    }

    /// Takes over the store of root, without what is unpacked in it: that is of no use to others.
    pub(crate) fn take_store_of(&self, root: &User) {
        if self.who == Who::Root {
            return;
        }
        let copied = program("cp").arg("-a").args([root.store(), self.store()]).status().unwrap();
        assert!(copied.success());
        fs_err::remove_dir_all(self.store().join("roots")).unwrap();
        fs_err::create_dir(self.store().join("roots")).unwrap();
        if !self.is_root() {
            let owner = format!("{USER}:{USER}");
            assert!(program("chown").args(["-R", &owner]).arg(self.store()).status().unwrap().success());
        }
    }

    /// The command with its arguments, as this user and with this user's store.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let imagewright = self.folder.path().join("imagewright");
        let mut command = if self.who == Who::Root {
            program(&imagewright)
        } else {
            let mut command = program("unshare");
            command.args(["--mount", "sh", "-c", ENTER]).arg(self.folder.path());
            command.arg(match self.who {
                Who::NoTools => "hidden",
                Who::Chrooted => "chrooted",
                Who::Root | Who::Subordinate => "-",
            });
            command.arg(USER.to_string()).arg(imagewright);
            command
        };
        command.args(arguments).current_dir(self.home());
        command
            .env("HOME", self.home())
            .env("IMAGEWRIGHT_STORE", self.store())
            .env("TMPDIR", self.temporary());
        command.env("DOCKER_CONFIG", self.home()).env_remove("XDG_CONFIG_HOME");
        // Tests look at other things than at how it is obtained.
        if let Some(uv) = uv() {
            command.env("IMAGEWRIGHT_UV", uv);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, b"")
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that ends early does not read all of its input.
        drop(child.stdin.take().unwrap().write_all(input));
        Run::of(&child.wait_with_output().unwrap())
    }

    fn is_root(&self) -> bool {
        matches!(self.who, Who::Root | Who::Chrooted)
    }

    fn owns(&self, path: &Path) {
        if !self.is_root() {
            chown(path, Some(USER), Some(USER)).unwrap();
        }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // A mount that stays is a nuisance and no reason to fail.
        drop(program("umount").arg("--lazy").arg(self.folder.path()).status());
    }
}

impl Who {
    pub(crate) const ALL: [Self; 3] = [Self::Root, Self::Subordinate, Self::NoTools];
    /// One for each mode of the sandbox.
    pub(crate) const MODES: [Self; 4] = [Self::Root, Self::Subordinate, Self::NoTools, Self::Chrooted];
}

/// The prefix of the base images in the test registry, if this process may be root and the peers run; else the
/// caller skips.
pub(crate) fn bases() -> Option<String> {
    may_be_root().then_some(())?;
    needed("IMAGEWRIGHT_TEST_BASES")
}

/// The same, if package indexes and Debian's archive may be used as well.
pub(crate) fn network() -> Option<()> {
    may_be_root().then_some(())?;
    has_network().then_some(())
}

/// uv beside the oracle.
fn uv() -> Option<PathBuf> {
    Some(Path::new(&variable("IMAGEWRIGHT_TEST_ORACLE")?).parent()?.join("uv")).filter(|uv| uv.is_file())
}

#[expect(clippy::disallowed_methods, reason = "the one place where these tests start processes")]
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    Command::new(name)
}
