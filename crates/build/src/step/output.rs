//! What a step says while it runs, and what its sandbox could not do.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use imagewright_sandbox::LostOwner;

use crate::event::{Event, Reporter};
use crate::secret::mask::Mask;

/// How many of a step's last lines its error has.
const TAIL: usize = 20;

/// How many files a warning of lost owners names.
const LOST_NAMED: usize = 8;

/// Which lines of a step are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loudness {
    /// Each, as it is written.
    EveryLine,
    /// The last ones, if it fails: it is the same for every spec, and says nothing that anybody asked for.
    Failure,
}

/// What a command writes, told line by line; the last lines are kept for the error.
pub(crate) struct StepOutput {
    subject: String,
    mask: Mask,
    reporter: Reporter,
    loudness: Loudness,
    last: Mutex<VecDeque<String>>,
}

impl StepOutput {
    pub(crate) fn new(subject: &str, mask: Mask, reporter: &Reporter, loudness: Loudness) -> Self {
        let (subject, reporter) = (subject.to_owned(), reporter.clone());
        Self { subject, mask, reporter, loudness, last: Mutex::default() }
    }

    pub(crate) fn tell(&self, line: &str) {
        let line = self.mask.hide(line).into_owned();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == TAIL {
            last.pop_front();
        }
        last.push_back(line.clone());
        drop(last);
        if self.loudness == Loudness::EveryLine {
            self.reporter.report(Event::Log { subject: self.subject.clone(), line });
        }
    }

    /// Says which files have not the owner that the command gave them.
    pub(crate) fn tell_lost(&self, lost: &[LostOwner]) {
        if lost.is_empty() {
            return;
        }
        let mut named: Vec<String> = lost
            .iter()
            .take(LOST_NAMED)
            .map(|one| format!("{} ({}:{})", one.path, one.uid, one.gid))
            .collect();
        if lost.len() > LOST_NAMED {
            named.push(format!("and {} more", lost.len() - LOST_NAMED));
        }
        let message = format!(
            "{}: owners that this sandbox cannot give are root's now: {}",
            self.subject,
            named.join(", ")
        );
        let hint = "build as root, or with subordinate ids; `imagewright doctor` says what is missing";
        self.reporter.warn(message, Some(hint.to_owned()));
    }

    pub(crate) fn last_lines(&self) -> Vec<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
