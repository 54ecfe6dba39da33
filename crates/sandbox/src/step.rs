use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use imagewright_layer::{Content, RawPath, TreeEntry};
use rustix::pipe::{PipeFlags, pipe_with};
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::channel::request_file;
use crate::launch::Launch;
use crate::task::{Report, Work};
use crate::{Exit, RunRequest, Sandbox, SandboxError};

/// What a step did.
#[derive(Debug)]
pub struct StepOutcome {
    /// How its command ended.
    pub exit: Exit,
    /// What is different in the root file system since; also when the command failed.
    pub changes: Changes,
}

/// What a step changed, as entries of a layer.
///
/// The contents of files are read when the encoder opens them. Until the last entry is dropped, the scratch directory
/// of the step is in use; then it is cleared.
#[derive(Debug)]
pub struct Changes {
    /// Owners that the command gave and the layer does not have; only [`crate::Mode::SingleId`] loses any.
    pub lost_owners: Vec<LostOwner>,
    /// Everything that was added or modified with the directories above it, and whiteouts for what was removed; sorted.
    pub entries: Vec<TreeEntry<RawPath>>,
}

/// An owner that a file should have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostOwner {
    /// The file's path, with unreadable bytes replaced.
    pub path: String,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// A step whose command runs. It is stopped when this is dropped, or when the caller ends.
#[derive(Debug)]
pub struct RunningStep {
    output: OwnedFd,
    // Before the launch: the helper ends when nobody can ask for files any more, and dropping the launch waits for it.
    files: UnixStream,
    launch: Launch,
}

/// Stops a step from another thread.
#[derive(Debug)]
pub struct Stopper {
    channel: UnixStream,
}

/// A line that is longer than this many bytes is told in parts.
const LONGEST_LINE: u64 = 16 * 1024;

impl Sandbox {
    /// Runs a command without input and without a terminal, and reads what it changed.
    ///
    /// Each line that it writes to its standard output or error is given to `on_line`, without the line's end.
    /// Times, the mount points of [`RunRequest::binds`] and what is in `/dev`, `/proc` and `/sys` are no changes.
    pub fn step(&self, request: RunRequest, on_line: impl FnMut(&str)) -> Result<StepOutcome, SandboxError> {
        self.start_step(request)?.wait(on_line)
    }

    /// Starts what [`Sandbox::step`] does.
    pub fn start_step(&self, request: RunRequest) -> Result<RunningStep, SandboxError> {
        let failed = |source| SandboxError::Step { step: "make a pipe for the output".to_owned(), source };
        let (output, writing) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed(error.into()))?;
        let (files, theirs) = UnixStream::pair().map_err(failed)?;
        let launch = self.launch(Work::Step(request), theirs.into(), Some(writing))?;
        Ok(RunningStep { output, files, launch })
    }
}

impl RunningStep {
    /// What stops this step.
    pub fn stopper(&self) -> Stopper {
        Stopper { channel: self.launch.channel() }
    }

    /// Waits for the end of the command and of all that it started.
    pub fn wait(mut self, on_line: impl FnMut(&str)) -> Result<StepOutcome, SandboxError> {
        tell_lines(self.output.into(), on_line)
            .map_err(|source| SandboxError::Step { step: "read the output".to_owned(), source })?;
        let (mut exit, mut changes, mut lost_owners) = (None, Vec::new(), Vec::new());
        loop {
            match self.launch.next_report()? {
                Some(Report::Ended(ended)) => exit = Some(ended),
                Some(Report::Changed(change)) => changes.push(change),
                Some(Report::LostOwner(lost)) => lost_owners.push(lost),
                Some(Report::Done) => break,
                Some(Report::Failed(failure)) => return Err(failure.into()),
                _ => return Err(SandboxError::HelperKilled),
            }
        }
        let files = Files { connection: Mutex::new(self.files), _launch: Mutex::new(self.launch) };
        let changes = Changes { lost_owners, entries: files.entries(changes)? };
        Ok(StepOutcome { exit: exit.ok_or(SandboxError::HelperKilled)?, changes })
    }
}

impl Stopper {
    /// Ends the command and all that it started; [`RunningStep::wait`] then gives [`SandboxError::Stopped`].
    pub fn stop(&self) {
        // It fails only when the helper has ended already, which is what it is for.
        drop(self.channel.shutdown(std::net::Shutdown::Write));
    }
}

fn tell_lines(output: File, mut on_line: impl FnMut(&str)) -> io::Result<()> {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        on_line(&String::from_utf8_lossy(text.strip_suffix(b"\r").unwrap_or(text)));
        line.clear();
    }
    Ok(())
}

/// The files of a change, which only the helper may open: they belong to whom its user namespace says.
struct Files {
    connection: Mutex<UnixStream>,
    /// The helper ends, and clears the scratch directory, with the last entry.
    _launch: Mutex<Launch>,
}

impl Files {
    fn entries(self, changes: Vec<Change>) -> Result<Vec<TreeEntry<RawPath>>, SandboxError> {
        let files = Arc::new(self);
        let mut entries = Vec::with_capacity(changes.len());
        for (index, change) in changes.into_iter().enumerate() {
            entries.extend(change.into_entries(Files::content(&files, index))?);
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn content(this: &Arc<Self>, index: usize) -> Content {
        let files = Arc::clone(this);
        Content::Open(Box::new(move || {
            let connection = files.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let file = request_file(&connection, index)?;
            drop(connection);
            Ok(Box::new(OpenFile { file, _files: files }))
        }))
    }
}

/// A file that keeps the step's scratch directory.
struct OpenFile {
    file: File,
    _files: Arc<Files>,
}

impl io::Read for OpenFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}
