use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use imagewright_layer::TreePath;

use super::error::BytecodeError;
use super::tasks::Task;

const PROGRAM: &str = include_str!("compile.py");
/// What stands in place of a length for a module that does not compile.
const NONE: u32 = u32::MAX;

/// A running compiler. It ends with its input, and at the latest when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    input: BufWriter<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub(super) fn start(command: &[PathBuf]) -> Result<Self, BytecodeError> {
        let (program, arguments) = command.split_first().expect("a compiler has a program");
        #[expect(clippy::disallowed_methods, reason = "the one place that starts the compiler")]
        let mut process = Command::new(program);
        process
            .args(arguments)
            // No site, no user site, no .pyc of its own; -E and -I would ignore the hash seed.
            .args(["-S", "-s", "-B", "-W", "ignore", "-c", PROGRAM])
            .env_clear()
            .env("PYTHONHASHSEED", "0")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = process
            .spawn()
            .map_err(|source| BytecodeError::Start { program: program.display().to_string(), source })?;
        let input = BufWriter::new(child.stdin.take().expect("stdin is piped"));
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Ok(Self { child, input, output })
    }

    /// Tells processes apart.
    #[cfg(test)]
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Hands over the sources of a task.
    pub(super) fn send(&mut self, task: &Task<'_>) -> Result<(), BytecodeError> {
        let sent = write_length(&mut self.input, task.modules.len());
        sent.map_err(|source| self.failed(source))?;
        let mut source = Vec::new();
        for module in &task.modules {
            source.clear();
            module.source.copy(&mut source)?;
            let path = format!("/{}", module.path);
            for part in [path.as_bytes(), &source] {
                let sent =
                    write_length(&mut self.input, part.len()).and_then(|()| self.input.write_all(part));
                sent.map_err(|source| self.failed(source))?;
            }
        }
        self.input.flush().map_err(|source| self.failed(source))
    }

    /// Takes what the compiler made of a task. A module that does not compile has nothing.
    pub(super) fn receive(
        &mut self,
        task: &Task<'_>,
        mut keep: impl FnMut(&TreePath, &[u8]) -> io::Result<()>,
    ) -> Result<(), BytecodeError> {
        let mut content = Vec::new();
        for module in &task.modules {
            if self.read(&mut content).map_err(|source| self.failed(source))? {
                keep(&module.target, &content).map_err(|source| BytecodeError::Scratch { source })?;
            }
        }
        Ok(())
    }

    fn read(&mut self, content: &mut Vec<u8>) -> io::Result<bool> {
        let mut length = [0; 4];
        self.output.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length == NONE {
            return Ok(false);
        }
        content.resize(length as usize, 0);
        self.output.read_exact(content)?;
        Ok(true)
    }

    fn failed(&mut self, source: io::Error) -> BytecodeError {
        BytecodeError::Failed { said: self.last_words(), source }
    }

    /// What the compiler printed before it failed; its end is not waited for beyond that.
    fn last_words(&mut self) -> String {
        let mut said = String::new();
        if self.child.kill().is_ok()
            && let Some(errors) = self.child.stderr.take()
        {
            // What cannot be read is missing from a message that has its cause besides.
            drop(errors.take(4096).read_to_string(&mut said));
        }
        said.trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after the wait.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn write_length(out: &mut impl Write, length: usize) -> io::Result<()> {
    let length = u32::try_from(length).map_err(io::Error::other)?;
    out.write_all(&length.to_be_bytes())
}
