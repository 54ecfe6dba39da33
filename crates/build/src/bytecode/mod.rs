//! Bytecode: modules compiled when the image is made (design D5), by one pinned compiler per minor release.
//!
//! The compiler is a process of this machine that runs no file of the image: sources go to it through a pipe, and
//! are parsed there, not imported. What it makes of a wheel is kept, so that a layer which is made again because
//! one of its distributions moved compiles that one only.

mod error;
mod process;
mod tasks;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;

use imagewright_layer::{Bytecode, InstallScheme, InstalledWheel};
use imagewright_oci::{Digest, canonical_json};
use imagewright_store::{DocumentKind, Store};

pub use error::BytecodeError;
use process::Process;
use tasks::{Task, decode, encode, tasks_of};

/// The version of what [`compile.py`](./compile.py) makes of a module; part of the key of every layer with bytecode.
pub(crate) const FORMAT: u32 = 1;

/// For a wheel, a compiler and a place: the blob with its bytecode.
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
}

impl Compiler {
    /// The bytecode of `wheel` as installed under `scheme`, sorted by path: kept, else compiled now.
    pub(crate) fn bytecode(
        &self,
        store: &Store,
        wheel: &InstalledWheel,
        scheme: &InstallScheme,
    ) -> Result<Vec<Bytecode>, BytecodeError> {
        let place = (scheme.site_packages.as_str(), scheme.python.to_string());
        let key = Digest::of(&canonical_json(&(wheel.wheel().artifact(), &self.identity, FORMAT, place)));
        if let Some(blob) = store.document::<Digest>(DOCUMENT, &key)?
            && let Some(reader) = store.blob(&blob)?
        {
            return decode(reader).map_err(|source| BytecodeError::Kept { source });
        }
        let compiled = self.compile(tasks_of(wheel, scheme)?)?;
        let blob = store.put_blob(&encode(&compiled))?;
        store.put_document(DOCUMENT, &key, &blob)?;
        Ok(compiled)
    }

    /// Runs every task in a process of its own lineage; several at once, with the same result.
    fn compile(&self, tasks: Vec<Task>) -> Result<Vec<Bytecode>, BytecodeError> {
        let workers = self.threads.get().min(tasks.len());
        let queue = Mutex::new(tasks.into_iter());
        let (done, results) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..workers {
                let (queue, done) = (&queue, done.clone());
                scope.spawn(move || {
                    let sent = done.send(self.work(queue));
                    sent.expect("the receiver outlives the workers");
                });
            }
        });
        drop(done);
        let parts = results.iter().collect::<Result<Vec<Vec<Bytecode>>, _>>()?;
        let mut compiled: Vec<Bytecode> = parts.into_iter().flatten().collect();
        compiled.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(compiled)
    }

    fn work(&self, queue: &Mutex<std::vec::IntoIter<Task>>) -> Result<Vec<Bytecode>, BytecodeError> {
        let next = || queue.lock().expect("no worker panics while it holds the queue").next();
        let Some(mut task) = next() else { return Ok(Vec::new()) };
        let mut process = Process::start(&self.command)?;
        let mut compiled = Vec::new();
        loop {
            compiled.extend(process.run(&task)?);
            match next() {
                Some(following) => task = following,
                None => return Ok(compiled),
            }
        }
    }
}
