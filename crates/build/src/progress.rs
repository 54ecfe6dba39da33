//! How far tasks are, told often enough to watch and seldom enough to keep.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use crate::event::{Event, Reporter};

/// After how many bytes of a task they are reported: a layer of a gigabyte has a thousand events, not one for each
/// buffer.
const STEP: u64 = 1 << 20;

/// Reports the progress of tasks that run at once; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    reporter: Reporter,
    /// What was last reported of each task that is under way.
    told: Arc<Mutex<BTreeMap<String, u64>>>,
}

/// A reader that tells how far it was read; another one of the same begins at nothing again.
#[derive(Debug)]
pub(crate) struct Counted<R> {
    reader: R,
    subject: String,
    done: u64,
    total: u64,
    progress: Progress,
}

impl Progress {
    pub(crate) fn new(reporter: &Reporter) -> Self {
        Self { reporter: reporter.clone(), told: Arc::default() }
    }

    /// Reports that `done` bytes are done, if that is news: the first bytes of a try, a step, and the end.
    pub(crate) fn at(&self, subject: &str, done: u64, total: Option<u64>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_end = Some(done) == total;
        let is_news = told.get(subject).is_none_or(|&before| done < before || done - before >= STEP);
        if is_end {
            told.remove(subject);
        } else if is_news {
            told.insert(subject.to_owned(), done);
        }
        drop(told);
        if is_end || is_news {
            self.reporter.report(Event::Progress { subject: subject.to_owned(), done, total });
        }
    }

    /// A reader of `total` bytes that reports as it is read.
    pub(crate) fn counted<R: Read>(&self, reader: R, subject: String, total: u64) -> Counted<R> {
        Counted { reader, subject, done: 0, total, progress: self.clone() }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if count > 0 {
            self.done += count as u64;
            self.progress.at(&self.subject, self.done, Some(self.total));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_told_of_by_steps_and_at_its_end() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let events = Arc::clone(&seen);
        let reporter = Reporter::new(move |event| match event {
            Event::Progress { subject, done, total } => {
                assert_eq!((&*subject, total), ("numpy", Some(3_000_000)));
                events.lock().unwrap().push(done);
            }
            other => panic!("{other:?}"),
        });
        let progress = Progress::new(&reporter);
        let read = |bytes: usize| {
            let reader = io::repeat(0).take(3_000_000);
            let mut counted = progress.counted(reader, "numpy".to_owned(), 3_000_000);
            let mut buffer = [0; 1000];
            for _ in 0..bytes / 1000 {
                assert_eq!(counted.read(&mut buffer).unwrap(), 1000);
            }
            if bytes == 3_000_000 {
                assert_eq!(counted.read(&mut buffer).unwrap(), 0);
            }
            std::mem::take(&mut *seen.lock().unwrap())
        };
        // A try that broke off, and the next one.
        assert_eq!(read(2_000_000), [1000, 1_050_000]);
        assert_eq!(read(3_000_000), [1000, 1_050_000, 2_099_000, 3_000_000]);
    }
}
