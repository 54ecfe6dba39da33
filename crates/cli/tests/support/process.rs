//! Processes: peers, and the command under test.

use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// How a process ended.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// The exit code; none after a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// The same, when it ended with `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Whether stderr has all of `texts`.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "stderr lacks {text:?}:\n{}", self.stderr);
        }
        self
    }

    /// How often stderr has a text.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.stderr.matches(text).count()
    }

    /// Whether stderr has none of `texts`.
    #[track_caller]
    pub(crate) fn never_says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(!self.stderr.contains(text), "stderr has {text:?}:\n{}", self.stderr);
        }
        self
    }
}

/// A peer's stdout, when it succeeded.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "peers are programs")]
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let run = run_within(Command::new(program).args(arguments), Duration::from_mins(2));
    assert_eq!(run.code, Some(0), "{program} {arguments:?}\n{}\n{}", run.stdout, run.stderr);
    run.stdout
}

/// Runs a command; one that takes longer than `limit` is killed, and the test with it.
#[track_caller]
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Run {
    let child = spawn(command);
    let (id, (done, ended)) = (child.id(), std::sync::mpsc::channel());
    let waiting = std::thread::spawn(move || done.send(child.wait_with_output()));
    let Ok(output) = ended.recv_timeout(limit) else {
        kill(id);
        panic!("{command:?} took longer than {limit:?}");
    };
    waiting.join().expect("waiting does not panic").expect("the output is received");
    Run::of(&output.expect("a child can be waited for"))
}

/// Starts a command with pipes.
#[track_caller]
pub(crate) fn spawn(command: &mut Command) -> Child {
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    started.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn kill(id: u32) {
    let id = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw);
    let id = id.expect("a child has an id");
    rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it was not waited for yet");
}
