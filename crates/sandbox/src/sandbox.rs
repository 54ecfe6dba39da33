use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use imagewright_oci::{DiffId, Digest};
use rustix::process::geteuid;

use crate::id_map::{IdMap, available_ids};
use crate::launch::{self, Launch};
use crate::task::{Confinement, Identity, Report, Task, Work};
use crate::unpack::{self, Layer, Unpacked};
use crate::{Exit, Mode, ModeReport, Network, RunRequest, Running, SandboxError, signals};

/// A way of running commands in root file systems that works on this machine.
#[derive(Clone, Debug)]
pub struct Sandbox {
    helper: PathBuf,
    mode: Mode,
    id_map: Option<IdMap>,
}

impl Sandbox {
    /// Tries every mode; the first that works is the one that [`Sandbox::first`] chooses.
    ///
    /// `helper` is the program that answers to [`crate::HELPER_ARGUMENT`]; `scratch` is an empty directory on the
    /// file system that runs will write to.
    pub fn detect(helper: &Path, scratch: &Path) -> Vec<ModeReport> {
        let report = |mode| ModeReport { mode, outcome: Self::tried(mode, helper, scratch).map(drop) };
        Mode::ALL.into_iter().map(report).collect()
    }

    /// The best mode that works. The parameters are those of [`Sandbox::detect`].
    pub fn first(helper: &Path, scratch: &Path) -> Result<Self, SandboxError> {
        let mut reports = Vec::new();
        for mode in Mode::ALL {
            match Self::tried(mode, helper, scratch) {
                Ok(sandbox) => return Ok(sandbox),
                Err(error) => reports.push(ModeReport { mode, outcome: Err(error) }),
            }
        }
        Err(SandboxError::NoMode { reports })
    }

    /// This mode and no other. The parameters are those of [`Sandbox::detect`].
    pub fn forced(mode: Mode, helper: &Path, scratch: &Path) -> Result<Self, SandboxError> {
        Self::tried(mode, helper, scratch)
            .map_err(|error| SandboxError::ModeUnavailable { mode, source: Box::new(error) })
    }

    /// The mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Who owns the files that [`Sandbox::unpack`] makes, as a file name. Unpacked layers may be shared by
    /// sandboxes with equal owners only.
    pub fn owners(&self) -> String {
        match (self.mode, &self.id_map) {
            (Mode::Root | Mode::Chroot, _) => "root".to_owned(),
            (Mode::SubordinateIds, Some(map)) => map.key(),
            (Mode::SubordinateIds | Mode::SingleId, _) => format!("kept-beside-{}", geteuid().as_raw()),
        }
    }

    /// The name under which a layer that this sandbox unpacked may be kept: equal for equal layers and equal
    /// [`Sandbox::owners`].
    pub fn root_id(&self, layer: DiffId) -> Digest {
        Digest::of(format!("{layer} {}", self.owners()).as_bytes())
    }

    /// Unpacks a layer into `directory`, which must be empty and the caller's own. If this fails, what the
    /// directory then holds is to be thrown away with [`Sandbox::remove`].
    pub fn unpack(&self, layer: Layer<'_>, directory: &Path) -> Result<Unpacked, SandboxError> {
        unpack::unpack(self, layer, directory)
    }

    /// Removes a directory that an unpacked layer or a killed run has left. Unlike the caller, the helper may
    /// remove what belongs to subordinate ids.
    pub fn remove(&self, directory: &Path) -> Result<(), SandboxError> {
        self.finish(Work::Remove { directory: directory.to_owned() })
    }

    /// Starts a command with the caller's standard input, output and error.
    ///
    /// The command is killed when the returned value is dropped, or when the caller ends.
    pub fn start(&self, request: RunRequest) -> Result<Running, SandboxError> {
        Ok(Running::new(self.launch(Work::Run(request), launch::standard_input()?, None)?))
    }

    /// Runs a command with the caller's standard input, output and error, and waits for its end.
    ///
    /// As long as it runs, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 to this process are passed on, and so are SIGINT
    /// and SIGQUIT, unless there is a terminal: that sends them to the command, too. Their handlers stay
    /// installed, without effect, when this returns; it is meant to be the last thing that a program does.
    pub fn run(&self, request: RunRequest) -> Result<Exit, SandboxError> {
        let running = self.start(request)?;
        signals::forwarded_to(&running.signaller(), || running.wait())
    }

    fn tried(mode: Mode, helper: &Path, scratch: &Path) -> Result<Self, SandboxError> {
        let id_map = match mode {
            Mode::Root | Mode::Chroot => check_root().map(|()| None)?,
            Mode::SubordinateIds => Some(IdMap::of_caller()?),
            Mode::SingleId => None,
        };
        let sandbox = Self { helper: helper.to_owned(), mode, id_map };
        sandbox.probe(scratch)?;
        Ok(sandbox)
    }

    /// Does everything that a run does, with an empty root file system, up to the start of the command.
    fn probe(&self, scratch: &Path) -> Result<(), SandboxError> {
        let root = scratch.join("empty");
        let made = fs_err::create_dir_all(&root);
        made.map_err(|source| SandboxError::Step { step: "use the scratch directory".to_owned(), source })?;
        let probed = self.finish(Work::Probe(RunRequest {
            roots: vec![root.clone()],
            scratch: scratch.to_owned(),
            argv: Vec::new(),
            env: Vec::new(),
            cwd: "/".into(),
            user: String::new(),
            binds: Vec::new(),
            secrets: Vec::new(),
            network: Network::Host,
            is_of_series: false,
        }));
        let removed = fs_err::remove_dir(&root);
        probed?;
        removed
            .map_err(|source| SandboxError::Step { step: "clear the scratch directory".to_owned(), source })
    }

    fn finish(&self, work: Work) -> Result<(), SandboxError> {
        match self.launch(work, launch::no_input()?, None)?.wait()? {
            // A probe is a run whose command is nothing.
            Report::Done | Report::Ended(Exit::Code(0)) => Ok(()),
            _ => Err(SandboxError::HelperKilled),
        }
    }

    pub(crate) fn launch(
        &self,
        work: Work,
        data: OwnedFd,
        output: Option<OwnedFd>,
    ) -> Result<Launch, SandboxError> {
        let identity = match self.mode {
            Mode::Root | Mode::Chroot => Identity::Caller,
            Mode::SubordinateIds => Identity::Mapped,
            Mode::SingleId => Identity::Single,
        };
        let confinement =
            if self.mode == Mode::Chroot { Confinement::Chroot } else { Confinement::Namespaces };
        let task = Task { identity, confinement, work };
        Launch::start(&self.helper, &task, data, self.id_map.as_ref(), output)
    }
}

/// The owners that images have: user and group ids of 16 bits.
const IDS_OF_IMAGES: u64 = 1 << 16;

fn check_root() -> Result<(), SandboxError> {
    let uid = geteuid();
    if !uid.is_root() {
        return Err(SandboxError::NotRoot { uid: uid.as_raw() });
    }
    match available_ids()? {
        count if count < IDS_OF_IMAGES => Err(SandboxError::FewIds { count }),
        _ => Ok(()),
    }
}
