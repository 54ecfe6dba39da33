use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::{DebianError, DebianPackage, Spool, UnpackedPackage};

/// Opens the file of a package.
pub type OpenPackage<'a> = dyn Fn(&DebianPackage) -> io::Result<Box<dyn Read>> + Sync + 'a;

/// Takes package files apart on several threads, in the order of `packages`.
///
/// Larger contents are in `spool` then, the others in memory.
pub fn unpack_packages<'a>(
    packages: &[&'a DebianPackage],
    open: &OpenPackage<'_>,
    spool: &Spool,
    threads: usize,
) -> Result<Vec<(&'a DebianPackage, UnpackedPackage)>, DebianError> {
    let results: Vec<Mutex<Option<Result<UnpackedPackage, DebianError>>>> =
        packages.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((package, result)) = Some(next.fetch_add(1, Ordering::Relaxed))
            .and_then(|number| Some((packages.get(number)?, results.get(number)?)))
        {
            let unpacked = unpack(package, open, spool);
            *result.lock().expect("no thread panics while it holds a result") = Some(unpacked);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.max(1) {
            scope.spawn(work);
        }
        work();
    });
    let results = results.into_iter().map(|result| {
        result
            .into_inner()
            .expect("no thread panics while it holds a result")
            .expect("every package was taken")
    });
    packages.iter().zip(results).map(|(package, result)| Ok((*package, result?))).collect()
}

fn unpack(
    package: &DebianPackage,
    open: &OpenPackage<'_>,
    spool: &Spool,
) -> Result<UnpackedPackage, DebianError> {
    let mut file =
        open(package).map_err(|source| DebianError::Open { package: package.name.clone(), source })?;
    UnpackedPackage::read(&package.name, &mut file, Some(spool))
}
