//! A store that has downloaded what most tests need, made once for all test runs.

use std::path::{Path, PathBuf};

use imagewright_store::Store;

use super::peers::variable;
use super::process::run;
use super::workshop::Workshop;

/// What is in it; another text makes it anew. The second has a base that is configured, which takes as long as the rest.
const SPECS: [&str; 2] = [
    "name: warm\npython_version: '3.11'\npackages: [six, idna, certifi, requests, numpy]\n",
    "name: configured\npython_version: '3.11'\ncommands: ['true']\n",
];

/// Makes the directory a copy of the warm store. Whole files are shared: nobody changes them.
pub(super) fn copy_to(store: &Path) {
    let Warm { store: warm, lock: _lock } = made();
    fs_err::create_dir_all(store).unwrap();
    let text = |path: &Path| path.to_str().expect("test folders have plain names").to_owned();
    let (from, to) = (text(&warm.join(".")), text(store));
    run("cp", &["--archive", "--link", &from, &to]);
    for name in ["index.db", "index.db-wal", "index.db-shm", "lock"] {
        let (from, to) = (warm.join(name), store.join(name));
        if from.exists() {
            fs_err::remove_file(&to).unwrap();
            fs_err::copy(from, to).unwrap();
        }
    }
}

/// A copy of the warm store for one run of the tests, made by the first that asks for it.
pub(super) fn shared() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shared");
    let run = variable("NEXTEST_RUN_ID").unwrap_or_else(|| std::process::id().to_string());
    let (store, mark) = (folder.join("store"), folder.join("run"));
    fs_err::create_dir_all(&folder).unwrap();
    let lock = fs_err::File::create(folder.join("lock")).unwrap();
    lock.file().lock().unwrap();
    if !fs_err::read_to_string(&mark).is_ok_and(|made| made == run) {
        if store.exists() {
            fs_err::remove_dir_all(&store).unwrap();
        }
        copy_to(&store);
        fs_err::write(mark, run).unwrap();
    }
    store
}

/// Puts the downloads of the warm store, and nothing that was made of them, into another one.
pub(super) fn copy_downloads_to(store: &Path) {
    let Warm { store: warm, lock: _lock } = made();
    let warm = Store::open(&warm, super::workshop::NOW).unwrap();
    let store = Store::open(store, super::workshop::NOW).unwrap();
    for entry in fs_err::read_dir(warm.directory().join("artifacts")).unwrap() {
        let hex = entry.unwrap().file_name().into_string().unwrap();
        let digest = imagewright_oci::Digest::from_hex(&hex).unwrap();
        let artifact = warm.artifact(&digest).unwrap().expect("the warm store is whole");
        store.insert_artifact(Some(digest), &artifact.file_name, artifact.file).unwrap();
    }
}

/// The store, which nobody else uses as long as this is there.
struct Warm {
    store: PathBuf,
    lock: fs_err::File,
}

/// The warm store: whoever comes first makes it, the others wait.
fn made() -> Warm {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("warm");
    fs_err::create_dir_all(&folder).unwrap();
    let lock = fs_err::File::create(folder.join("lock")).unwrap();
    lock.file().lock().unwrap();
    let (store, mark) = (folder.join("store"), folder.join("complete"));
    if fs_err::read_to_string(&mark).is_ok_and(|made| made == SPECS.concat()) {
        return Warm { store, lock };
    }
    if store.exists() {
        fs_err::remove_dir_all(&store).unwrap();
    }
    let workshop = Workshop::new().with_store(&store);
    for spec in SPECS {
        workshop.write("warm.yaml", spec);
        workshop.build("warm.yaml", &[]);
    }
    fs_err::write(mark, SPECS.concat()).unwrap();
    Warm { store, lock }
}
