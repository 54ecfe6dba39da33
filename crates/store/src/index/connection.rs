use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::StoreError;
use crate::layout::read_only;

/// The version of the tables in `schema.sql`.
const SCHEMA_VERSION: u32 = 1;

/// Ends the name of the empty file that says that the index beside it is to be replaced.
const DAMAGED: &str = "-damaged";

/// How long a statement waits for another process's transaction; those last milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(20);

/// What this process may do to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    ReadWrite,
    ReadOnly,
}

/// The index of a store: one SQLite connection that is held for the length of a statement or a transaction.
pub(crate) struct Index {
    path: PathBuf,
    access: Access,
    connection: Mutex<Connection>,
}

impl Index {
    /// Opens the index at `path`, and makes it when the store is writable and new.
    pub(crate) fn open(path: &Path, access: Access) -> Result<Self, StoreError> {
        let indexing = StoreError::indexing;
        if access == Access::ReadWrite && with_suffix(path, DAMAGED).exists() {
            return Err(indexing("open the tables", path)(corrupt()));
        }
        let connection = match access {
            Access::ReadWrite => open_writable(path).map_err(indexing("open the tables", path))?,
            Access::ReadOnly => open_read_only(path).map_err(indexing("open the tables", path))?,
        };
        let index = Self { path: path.to_owned(), access, connection: Mutex::new(connection) };
        index.check_version()?;
        Ok(index)
    }

    /// Runs statements outside a transaction, mostly ones that only read.
    pub(crate) fn run<T>(
        &self,
        doing: &'static str,
        run: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        run(&connection).map_err(|error| self.failed(doing, error))
    }

    /// Runs statements in one transaction; all of it is kept or nothing.
    pub(crate) fn write<T>(
        &self,
        doing: &'static str,
        run: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if self.access == Access::ReadOnly {
            return Err(read_only(&self.path, None));
        }
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let result = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| run(&transaction).and_then(|value| transaction.commit().map(|()| value)));
        result.map_err(|error| self.failed(doing, error))
    }

    /// Classifies a failure. An index that turns out to be damaged is marked, and replaced by whoever opens it next:
    /// most damage shows in a statement, when it is too late for this process.
    fn failed(&self, doing: &'static str, error: rusqlite::Error) -> StoreError {
        let error = StoreError::indexing(doing, &self.path)(error);
        if self.access == Access::ReadWrite && matches!(error, StoreError::IndexDamaged { .. }) {
            // Without the mark the next process meets the same damage, and tries again to leave it.
            drop(fs_err::write(with_suffix(&self.path, DAMAGED), ""));
        }
        error
    }

    /// Starts again without rows. Other processes must not have the index open.
    pub(crate) fn rebuild(&self) -> Result<(), StoreError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let indexing = || StoreError::indexing("rebuild", &self.path);
        let old = std::mem::replace(&mut *connection, Connection::open_in_memory().map_err(indexing())?);
        drop(old);
        Self::remove(&self.path)?;
        let fresh = Self::open(&self.path, self.access)?;
        *connection = fresh.connection.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(())
    }

    /// Removes the files of the index at `path`; the mark goes last, so that a removal that is killed is repeated.
    pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
        for suffix in ["-wal", "-shm", "", DAMAGED] {
            let path = with_suffix(path, suffix);
            match fs_err::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::writing(&path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_version(&self) -> Result<(), StoreError> {
        let found = self.run("read the version", version)?;
        if found == SCHEMA_VERSION {
            return Ok(());
        }
        if found == 0 && self.access == Access::ReadWrite {
            return self.write("make the tables", |transaction| {
                // Another process may have made them since.
                if version(transaction)? == 0 {
                    transaction.execute_batch(include_str!("schema.sql"))?;
                    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
                }
                Ok(())
            });
        }
        Err(StoreError::Version {
            path: self.path.clone(),
            found: found.to_string(),
            supported: SCHEMA_VERSION,
        })
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("path", &self.path)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn open_writable(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // In WAL mode `NORMAL` may lose the last transactions when the power fails, never the order of them: that
    // makes misses of finished files, which is what the store does with any file without a row.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

fn open_read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    match version(&connection) {
        Ok(_) => Ok(connection),
        // A WAL database needs a shared-memory file beside it, which cannot be made here. Without a journal that
        // waits to be read, the file by itself is the whole database.
        Err(_) if !has_journal(path) => Connection::open_with_flags(immutable_uri(path), flags),
        Err(error) => Err(error),
    }
}

/// What SQLite says of a database that it cannot read any more.
fn corrupt() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), None)
}

fn has_journal(path: &Path) -> bool {
    fs_err::metadata(with_suffix(path, "-wal")).is_ok_and(|metadata| metadata.len() > 0)
}

/// The path of a file that SQLite keeps beside its database.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn immutable_uri(path: &Path) -> String {
    let escape = |byte: u8| match byte {
        b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    };
    let path: String = path.as_os_str().as_encoded_bytes().iter().map(|byte| escape(*byte)).collect();
    format!("file:{path}?immutable=1")
}
