//! How a process of the sandbox hands its work to the next one.
//!
//! The next process finds a socket as its standard input, and in it one message with three files: the task, the
//! data file (see [`Assignment`]) and the channel to the caller. Passing files in a
//! message, not by inheritance, keeps every descriptor close-on-exec: a process that another thread of the caller
//! starts at the same moment cannot get hold of one, so the end of the caller is always seen as the end of the channel.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Seek as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

use crate::inside::HELPER_ARGUMENT;
use crate::task::{Report, Task};

/// What a process of the sandbox is given.
#[derive(Debug)]
pub(crate) struct Assignment {
    task: File,
    /// The command's standard input, the tar stream, or the connection that asks for the files of a change.
    pub(crate) data: OwnedFd,
    /// To the caller: reports as JSON lines one way, single bytes the other way.
    pub(crate) channel: UnixStream,
}

impl Assignment {
    pub(crate) fn new(task: &Task, data: OwnedFd, channel: UnixStream) -> io::Result<Self> {
        let mut file = File::from(memfd_create("task", MemfdFlags::CLOEXEC)?);
        file.write_all(&serde_json::to_vec(task)?)?;
        Ok(Self { task: file, data, channel })
    }

    /// Starts `program` as the helper process for `stage` and hands this assignment to it. Its output goes to
    /// `output`, or to where this process's goes.
    pub(crate) fn spawn(&self, program: &Path, stage: &str, output: Option<OwnedFd>) -> io::Result<Child> {
        let (ours, theirs) = UnixStream::pair()?;
        send(&ours, 0, &[self.task.as_fd(), self.data.as_fd(), self.channel.as_fd()])?;
        #[expect(clippy::disallowed_methods, reason = "the one place where a helper process is started")]
        let mut command = Command::new(program);
        command.args([HELPER_ARGUMENT, stage]).stdin(Stdio::from(OwnedFd::from(theirs)));
        if let Some(output) = output {
            command.stderr(Stdio::from(output.try_clone()?)).stdout(Stdio::from(output));
        }
        command.spawn()
    }

    /// Takes the assignment from this process's standard input.
    pub(crate) fn receive() -> io::Result<Self> {
        let mut files = receive(io::stdin())?.1.into_iter();
        match (files.next(), files.next(), files.next()) {
            (Some(task), Some(data), Some(channel)) => {
                Ok(Self { task: task.into(), data, channel: channel.into() })
            }
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "this is not a started sandbox helper")),
        }
    }

    pub(crate) fn task(&mut self) -> io::Result<Task> {
        let mut text = String::new();
        self.task.rewind()?;
        self.task.read_to_string(&mut text)?;
        Ok(serde_json::from_str(&text)?)
    }

    pub(crate) fn report(&self, report: &Report) -> io::Result<()> {
        let mut line = serde_json::to_vec(report)?;
        line.push(b'\n');
        (&self.channel).write_all(&line)
    }
}

/// Sends a number and files in one message.
fn send(socket: impl AsFd, number: i32, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    sendmsg(socket, &[IoSlice::new(&number.to_ne_bytes())], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive(socket: impl AsFd) -> io::Result<(i32, Vec<OwnedFd>)> {
    let (mut space, mut number) = ([MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))], [0; 4]);
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    if recvmsg(socket, &mut [IoSliceMut::new(&mut number)], &mut control, flags)?.bytes != number.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let files = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => files.collect(),
        _ => Vec::new(),
    });
    Ok((i32::from_ne_bytes(number), files.collect()))
}

/// Asks the helper to open the file of the change with this index.
pub(crate) fn request_file(connection: &UnixStream, index: usize) -> io::Result<File> {
    let mut connection = connection;
    connection.write_all(&(index as u64).to_ne_bytes())?;
    match receive(connection)? {
        (_, files) if files.len() == 1 => Ok(files.into_iter().map(File::from).collect::<Vec<_>>().remove(0)),
        (errno, _) => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Answers each [`request_file`] with what `open` gives, until the caller needs no more.
pub(crate) fn answer_requests(
    mut connection: &UnixStream,
    open: impl Fn(usize) -> io::Result<OwnedFd>,
) -> io::Result<()> {
    let mut index = [0; 8];
    loop {
        match connection.read_exact(&mut index) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        match open(usize::try_from(u64::from_ne_bytes(index)).unwrap_or(usize::MAX)) {
            Ok(file) => send(connection, 0, &[file.as_fd()])?,
            Err(error) => send(connection, error.raw_os_error().unwrap_or(NOT_A_FILE), &[])?,
        }
    }
}

/// What is answered for an index without a file.
const NOT_A_FILE: i32 = rustix::io::Errno::NOENT.raw_os_error();
