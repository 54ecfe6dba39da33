use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use crate::gzip::Compressor;

/// Threads that make gzip members of chunks; with one thread, the caller's own.
pub(crate) struct Pool {
    workers: usize,
    jobs: Option<mpsc::Sender<Job>>,
    own: Compressor,
}

struct Job {
    chunk: Vec<u8>,
    done: mpsc::Sender<Vec<u8>>,
}

/// A member that is there, or on its way.
pub(crate) enum Member {
    Ready(Vec<u8>),
    Coming(mpsc::Receiver<Vec<u8>>),
}

impl Pool {
    /// Runs `body` with a pool; its threads have ended when this returns.
    pub(crate) fn run<T>(threads: NonZeroUsize, body: impl FnOnce(Self) -> T) -> T {
        let workers = if threads.get() == 1 { 0 } else { threads.get() };
        let (jobs, waiting) = mpsc::channel::<Job>();
        let waiting = Mutex::new(waiting);
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| work(&waiting));
            }
            body(Self { workers, jobs: (workers > 0).then_some(jobs), own: Compressor::new() })
        })
    }

    /// How many members may be on their way: enough to keep every thread busy.
    pub(crate) fn limit(&self) -> usize {
        3 * self.workers
    }

    /// Starts to make the member that holds `chunk`; small ones are made at once.
    pub(crate) fn member(&mut self, chunk: Vec<u8>) -> Member {
        match &self.jobs {
            Some(jobs) if chunk.len() > Compressor::SMALL => {
                let (done, coming) = mpsc::channel();
                jobs.send(Job { chunk, done }).expect("the workers live as long as the pool");
                Member::Coming(coming)
            }
            _ => Member::Ready(self.own.member(&chunk)),
        }
    }
}

fn work(waiting: &Mutex<mpsc::Receiver<Job>>) {
    let mut compressor = Compressor::new();
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { chunk, done }) = next else { return };
        if done.send(compressor.member(&chunk)).is_err() {
            // The layer was given up; the pool ends with it.
            return;
        }
    }
}
