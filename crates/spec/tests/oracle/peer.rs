//! One Python process that has flytekit.

#![expect(clippy::disallowed_methods, reason = "the peer is a process")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use imagewright_spec::HostArchitecture;
use imagewright_testkit::peers::oracle;
use serde_json::{Value, json};

use super::generate::Notation;

/// What flytekit, or we, say of a spec.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) id: String,
    pub(crate) tag: String,
}

pub(crate) struct Peer {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Without flytekit the caller skips.
    pub(crate) fn start() -> Option<Self> {
        let mut child = Command::new(oracle()?)
            .args(["-c", include_str!("peer.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, requests, answers })
    }

    /// What flytekit says of the spec; its error when it refuses it.
    pub(crate) fn ask(
        &mut self,
        text: &str,
        notation: Notation,
        host: HostArchitecture,
        directory: &Path,
    ) -> Result<Answer, String> {
        let key = if notation == Notation::Json { "json" } else { "yaml" };
        let machine = if host == HostArchitecture::Arm64 { "aarch64" } else { "x86_64" };
        let request = json!({ key: text, "machine": machine, "directory": directory });
        writeln!(self.requests.as_mut().unwrap(), "{request}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        let field = |name: &str| answer[name].as_str().map(str::to_owned);
        match (field("id"), field("tag")) {
            (Some(id), Some(tag)) => Ok(Answer { id, tag }),
            _ => Err(field("error").unwrap()),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.requests.take());
        self.child.wait().unwrap();
    }
}
