use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::error::BytecodeError;
use super::process::Process;

/// Compilers that run: no more of them work at once than there are threads, whatever number of wheels waits, and each
/// serves the next wheel when it is done with one. It compiles in children and nothing itself, so what it was asked for
/// before matters not.
#[derive(Clone, Debug, Default)]
pub(crate) struct CompilerPool(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    room: Mutex<Room>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Room {
    /// How many work.
    working: usize,
    /// Those that wait for work.
    idle: Vec<Running>,
}

/// A compiler, and what it was started by.
#[derive(Debug)]
struct Running {
    command: Vec<PathBuf>,
    process: Process,
}

/// A compiler that works for one wheel. One that is not given back has failed, and ends.
#[derive(Debug)]
pub(super) struct Taken {
    pool: CompilerPool,
    running: Option<Running>,
}

impl CompilerPool {
    /// Waits until fewer than `most` work, and takes one that `command` starts.
    pub(super) fn take(&self, command: &[PathBuf], most: NonZeroUsize) -> Result<Taken, BytecodeError> {
        let mut taken = Taken { pool: self.clone(), running: self.wait(command, most) };
        if taken.running.is_none() {
            taken.running = Some(Running { command: command.to_owned(), process: Process::start(command)? });
        }
        Ok(taken)
    }

    /// Enters the room as one that works, with a compiler that is idle there, if there is one. One of another command
    /// makes place for it.
    fn wait(&self, command: &[PathBuf], most: NonZeroUsize) -> Option<Running> {
        let is_full = |room: &mut Room| room.working >= most.get();
        let waited = self.0.freed.wait_while(self.room(), is_full);
        let mut room = waited.unwrap_or_else(PoisonError::into_inner);
        room.working += 1;
        let fitting = room.idle.iter().position(|idle| idle.command == command);
        let running = fitting.map(|at| room.idle.swap_remove(at));
        let is_crowded = running.is_none() && room.working + room.idle.len() > most.get();
        let ended = if is_crowded { room.idle.pop() } else { None };
        drop(room);
        // Its end is waited for, which nobody else need.
        drop(ended);
        running
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.0.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Lets it serve the next.
    pub(super) fn give_back(mut self) {
        let running = self.running.take();
        self.pool.room().idle.extend(running);
    }
}

impl Deref for Taken {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.running.as_ref().expect("it runs until it is given back").process
    }
}

impl DerefMut for Taken {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.running.as_mut().expect("it runs until it is given back").process
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // One that failed has ended when another starts in its place.
        drop(self.running.take());
        self.pool.room().working -= 1;
        self.pool.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// Something that runs until its input ends, whatever its arguments are.
    fn command(name: &str) -> Vec<PathBuf> {
        ["sh", "-c", "cat", name].map(PathBuf::from).into()
    }

    #[test]
    fn one_that_is_given_back_serves_the_next() {
        let (pool, most) = (CompilerPool::default(), NonZeroUsize::MIN);
        let first = pool.take(&command("a"), most).unwrap();
        let id = first.id();
        first.give_back();
        let second = pool.take(&command("a"), most).unwrap();
        assert_eq!(second.id(), id);
        // It was not given back, so it has failed.
        drop(second);
        let third = pool.take(&command("a"), most).unwrap();
        assert_ne!(third.id(), id);
        third.give_back();
        pool.take(&command("b"), most).unwrap().give_back();
        let idle: Vec<Vec<PathBuf>> = pool.room().idle.iter().map(|idle| idle.command.clone()).collect();
        assert_eq!(idle, [command("b")], "one of another command makes place");
    }

    #[test]
    fn no_more_work_than_there_are_threads() {
        let (pool, most) = (CompilerPool::default(), NonZeroUsize::new(2).unwrap());
        let taken = [pool.take(&command("a"), most).unwrap(), pool.take(&command("a"), most).unwrap()];
        let third = thread::spawn({
            let pool = pool.clone();
            move || pool.take(&command("a"), most).map(|taken| taken.id())
        });
        thread::sleep(Duration::from_millis(50));
        assert!(!third.is_finished());
        let [first, _second] = taken;
        let id = first.id();
        first.give_back();
        assert_eq!(third.join().unwrap().unwrap(), id);
    }
}
