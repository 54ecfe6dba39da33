//! How a process of the sandbox hands its work to the next one.
//!
//! The next process finds a socket as its standard input, and in it one message with three files: the task, the
//! data file (the command's standard input, or a tar stream) and the channel to the caller. Passing files in a
//! message, not by inheritance, keeps every descriptor close-on-exec: a process that another thread of the caller
//! starts at the same moment cannot get hold of one, so the end of the caller is always seen as the end of the channel.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Seek as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
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
    /// The command's standard input, or the tar stream.
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

    /// Starts `program` as the helper process for `stage` and hands this assignment to it.
    pub(crate) fn spawn(&self, program: &Path, stage: &str) -> io::Result<Child> {
        let (ours, theirs) = UnixStream::pair()?;
        self.send(&ours)?;
        #[expect(clippy::disallowed_methods, reason = "the one place where a helper process is started")]
        Command::new(program).args([HELPER_ARGUMENT, stage]).stdin(Stdio::from(OwnedFd::from(theirs))).spawn()
    }

    fn send(&self, socket: &UnixStream) -> io::Result<()> {
        let files = [self.task.as_fd(), self.data.as_fd(), self.channel.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&files)) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        sendmsg(socket, &[IoSlice::new(b"!")], &mut control, SendFlags::empty())?;
        Ok(())
    }

    /// Takes the assignment from this process's standard input.
    pub(crate) fn receive() -> io::Result<Self> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        recvmsg(
            io::stdin().as_fd(),
            &mut [IoSliceMut::new(&mut byte)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )?;
        let mut files = control.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => files.collect(),
            _ => Vec::new(),
        });
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
