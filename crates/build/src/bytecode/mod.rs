//! Bytecode: modules compiled when the image is made (design D5), by one pinned compiler per minor release.
//!
//! The compiler is a process of this machine that runs no file of the image: sources go to it through a pipe, and
//! are parsed there, not imported. What it makes of a wheel is kept, so that a layer which is made again because
//! one of its distributions moved compiles that one only.

mod error;
mod kept;
mod pool;
mod process;
mod scratch;
mod tasks;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::thread;

use imagewright_layer::{InstallScheme, InstalledWheel, TreePath};
use imagewright_oci::{Digest, canonical_json};
use imagewright_pypa::PythonMinor;
use imagewright_store::{Condition, DocumentKind, Flag, Store};

pub use error::BytecodeError;
pub(crate) use kept::{Kept, Merged};
pub(crate) use pool::CompilerPool;
use scratch::Scratch;
use tasks::{Source, Task, tasks, tasks_of};

/// The version of what [`compile.py`](./compile.py) makes of a module; part of the key of every layer with bytecode.
pub(crate) const FORMAT: u32 = 1;

/// For a wheel or an archive, a compiler and a place: the blob with its bytecode.
const DOCUMENT: DocumentKind = DocumentKind("bytecode");

/// A compiler that can be started.
#[derive(Clone, Debug)]
pub(crate) struct Compiler {
    /// Program and first arguments.
    pub(crate) command: Vec<PathBuf>,
    /// What it is, in the words of the lock: what it makes depends on this alone.
    pub(crate) identity: String,
    /// How many processes work at once.
    pub(crate) threads: NonZeroUsize,
    /// Those that run.
    pub(crate) pool: CompilerPool,
}

impl Compiler {
    /// The bytecode of `wheel` as installed under `scheme`, sorted by path: kept, else compiled now. While somebody
    /// else compiles it, that is waited for, until `flag` is set.
    pub(crate) fn bytecode(
        &self,
        store: &Store,
        wheel: &InstalledWheel,
        scheme: &InstallScheme,
        flag: &Flag,
    ) -> Result<Kept, BytecodeError> {
        let key = self.key(wheel, scheme);
        if let Some(kept) = kept(store, &key)? {
            return Ok(kept);
        }
        // The layer of another image may have the same wheel, among others.
        let _lease = store.lease(&key, &mut |_| flag.patience())?;
        if let Some(kept) = kept(store, &key)? {
            return Ok(kept);
        }
        self.compile_and_keep(store, &key, tasks_of(wheel, scheme)?)
    }

    /// The bytecode of the library of the interpreter that `archive` has, whose modules are `sources`.
    pub(crate) fn library_bytecode(
        &self,
        store: &Store,
        archive: &Digest,
        sources: &[(&TreePath, &[u8])],
        python: PythonMinor,
    ) -> Result<Kept, BytecodeError> {
        let first = sources.first().map(|(path, _)| path.as_str());
        let key = Digest::of(&canonical_json(&(archive, &self.identity, FORMAT, first)));
        if let Some(kept) = kept(store, &key)? {
            return Ok(kept);
        }
        let sources = sources.iter().map(|(path, bytes)| (*path, Source::Bytes(bytes)));
        self.compile_and_keep(store, &key, tasks(sources, python)?)
    }

    /// What the bytecode of `wheel` is kept under, and leased by who compiles it.
    fn key(&self, wheel: &InstalledWheel, scheme: &InstallScheme) -> Digest {
        let place = (scheme.site_packages.as_str(), scheme.python.to_string());
        Digest::of(&canonical_json(&(wheel.wheel().artifact(), &self.identity, FORMAT, place)))
    }

    fn compile_and_keep(
        &self,
        store: &Store,
        key: &Digest,
        tasks: Vec<Task<'_>>,
    ) -> Result<Kept, BytecodeError> {
        let blob = self.compile(store, tasks)?.keep(store)?;
        store.put_document(DOCUMENT, key, &blob)?;
        store.blob(&blob)?.map(Kept::new).ok_or(BytecodeError::Lost { blob })
    }

    /// Runs every task in a process of its own lineage; several at once, with the same result.
    fn compile(&self, store: &Store, tasks: Vec<Task<'_>>) -> Result<Scratch, BytecodeError> {
        let workers = self.threads.get().min(tasks.len());
        let work = Work { queue: Mutex::new(tasks.into_iter()), scratch: Mutex::new(Scratch::new(store)?) };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(|| self.work(&work))).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
        })?;
        Ok(work.scratch.into_inner().expect(NO_PANIC))
    }

    fn work(&self, work: &Work<'_>) -> Result<(), BytecodeError> {
        let Some(mut task) = work.next() else { return Ok(()) };
        let mut process = self.pool.take(&self.command, self.threads)?;
        loop {
            process.send(&task)?;
            process.receive(&task, |path, content| {
                let mut scratch: MutexGuard<'_, Scratch> = work.scratch.lock().expect(NO_PANIC);
                scratch.add(path, content)
            })?;
            match work.next() {
                Some(following) => task = following,
                None => break,
            }
        }
        process.give_back();
        Ok(())
    }
}

/// What an earlier build made under `key`. It is read before it is used: nothing behind it would notice another byte.
fn kept(store: &Store, key: &Digest) -> Result<Option<Kept>, BytecodeError> {
    let Some(blob) = store.document::<Digest>(DOCUMENT, key)? else { return Ok(None) };
    match store.discard_damaged_blob(&blob)? {
        Condition::Sound => Ok(store.blob(&blob)?.map(Kept::new)),
        Condition::Absent | Condition::Discarded { .. } => Ok(None),
    }
}

const NO_PANIC: &str = "no worker panics while it holds a lock";

/// What the workers share.
struct Work<'a> {
    queue: Mutex<std::vec::IntoIter<Task<'a>>>,
    scratch: Mutex<Scratch>,
}

impl<'a> Work<'a> {
    fn next(&self) -> Option<Task<'a>> {
        self.queue.lock().expect(NO_PANIC).next()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use imagewright_layer::Wheel;
    use imagewright_store::{Abandoned, StoreError};
    use imagewright_testkit::wheel::WheelBuilder;

    use super::*;

    #[test]
    fn a_wait_for_what_another_compiles_ends_with_the_one_who_waits() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store"), 1).unwrap();
        let builder = WheelBuilder::new("six", "1.0").file("six.py", "x = 1\n");
        let (name, bytes) = (builder.filename().parse().unwrap(), builder.bytes());
        let artifact = Digest::of(&bytes);
        let scheme = InstallScheme::virtual_environment("opt/venv", PythonMinor(11)).unwrap();
        let wheel = Wheel::open(artifact, Arc::new(bytes), &name).unwrap().install(&scheme).unwrap();
        let compiler = Compiler {
            command: vec!["/nowhere".into()],
            identity: String::new(),
            threads: NonZeroUsize::MIN,
            pool: CompilerPool::default(),
        };
        let _held = store.try_lease(&compiler.key(&wheel, &scheme)).unwrap().unwrap();
        let abandoned = Abandoned::default();
        let flag = abandoned.flag();
        let waiting = thread::spawn({
            let store = store.clone();
            move || compiler.bytecode(&store, &wheel, &scheme, &flag)
        });
        thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(abandoned);
        let error = waiting.join().unwrap().unwrap_err();
        assert!(matches!(error, BytecodeError::Store(StoreError::Cancelled { .. })), "{error}");
    }
}
