use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;

use crate::channel::Assignment;
use crate::id_map::IdMap;
use crate::inside::OUTERMOST;
use crate::task::{Report, Task};
use crate::{Exit, SandboxError};

/// A started helper.
#[derive(Debug)]
pub(crate) struct Launch {
    channel: BufReader<UnixStream>,
    outer: Child,
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    launch: Launch,
}

/// Sends signals to a running command.
#[derive(Debug)]
pub(crate) struct Signaller(UnixStream);

impl Launch {
    pub(crate) fn start(
        helper: &Path,
        task: &Task,
        data: OwnedFd,
        id_map: Option<&IdMap>,
        output: Option<OwnedFd>,
    ) -> Result<Self, SandboxError> {
        let failed = |source| SandboxError::StartHelper { helper: helper.to_owned(), source };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let assignment = Assignment::new(task, data, theirs).map_err(failed)?;
        let outer = assignment.spawn(helper, OUTERMOST, output).map_err(failed)?;
        let mut launch = Self { channel: BufReader::new(ours), outer };
        drop(assignment);
        if let Some(id_map) = id_map {
            launch.write_maps(id_map)?;
        }
        Ok(launch)
    }

    fn write_maps(&mut self, id_map: &IdMap) -> Result<(), SandboxError> {
        match self.next_report()? {
            Some(Report::NeedsIdMap) => {
                id_map.write(self.outer.id())?;
                self.channel.get_mut().write_all(b"+").map_err(|_| SandboxError::HelperKilled)
            }
            Some(Report::Failed(failure)) => Err(failure.into()),
            _ => Err(SandboxError::HelperKilled),
        }
    }

    pub(crate) fn next_report(&mut self) -> Result<Option<Report>, SandboxError> {
        let mut line = String::new();
        let failed = |source| SandboxError::Step { step: "read the helper's report".to_owned(), source };
        if self.channel.read_line(&mut line).map_err(failed)? == 0 {
            return Ok(None);
        }
        serde_json::from_str(&line).map(Some).map_err(|error| failed(error.into()))
    }

    /// The channel: what is written to it goes to *init*, and its end ends the command.
    pub(crate) fn channel(&self) -> UnixStream {
        self.channel.get_ref().try_clone().expect("a socket can be duplicated")
    }

    /// Waits until every helper process has ended; the first failure that one reported counts, else the last
    /// report.
    pub(crate) fn wait(mut self) -> Result<Report, SandboxError> {
        let mut last = None;
        while let Some(report) = self.next_report()? {
            match (&last, report) {
                (Some(Report::Failed(_)), _) => {}
                (_, report) => last = Some(report),
            }
        }
        match last {
            Some(Report::Failed(failure)) => Err(failure.into()),
            Some(report) => Ok(report),
            None => Err(SandboxError::HelperKilled),
        }
    }
}

impl Drop for Launch {
    /// The end of the channel tells *init* to end, and with it every process of the command.
    fn drop(&mut self) {
        // Both fail only when the helper has ended already, which is what they are for.
        drop(self.channel.get_ref().shutdown(Shutdown::Both));
        drop(self.outer.wait());
    }
}

impl Running {
    pub(crate) fn new(launch: Launch) -> Self {
        Self { launch }
    }

    /// Sends a signal to the command; without effect once it has ended.
    pub fn signal(&self, signal: u8) -> Result<(), SandboxError> {
        self.signaller().send(signal)
    }

    /// Waits for the end of the command and of all that it started.
    pub fn wait(self) -> Result<Exit, SandboxError> {
        match self.launch.wait()? {
            Report::Ended(exit) => Ok(exit),
            _ => Err(SandboxError::HelperKilled),
        }
    }

    pub(crate) fn signaller(&self) -> Signaller {
        Signaller(self.launch.channel())
    }
}

impl Signaller {
    pub(crate) fn send(&self, signal: u8) -> Result<(), SandboxError> {
        match (&self.0).write_all(&[signal]) {
            Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
                Err(SandboxError::Step { step: format!("send signal {signal} to the command"), source })
            }
            _ => Ok(()),
        }
    }
}

/// The caller's own standard input.
pub(crate) fn standard_input() -> Result<OwnedFd, SandboxError> {
    let failed = |source| SandboxError::Step { step: "use the standard input".to_owned(), source };
    io::stdin().as_fd().try_clone_to_owned().map_err(failed)
}

pub(crate) fn no_input() -> Result<OwnedFd, SandboxError> {
    let failed = |source| SandboxError::Step { step: "use /dev/null".to_owned(), source };
    Ok(fs_err::File::open("/dev/null").map_err(failed)?.into_file().into())
}
