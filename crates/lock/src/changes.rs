use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use imagewright_spec::{SourceEntry, entry_name};
use serde::Serialize;

use crate::difference::differing_names;
use crate::document::{BaseLock, Lock, PlatformLock};

/// Something that one lock pins otherwise than another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LockChange {
    /// The platform; `any` for files that are copied.
    pub platform: String,
    /// What: `numpy`, `base`, `python`, `compiler`, `Debian`.
    pub subject: String,
    /// What it was; absent when it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
    /// What it is; absent when it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
}

impl Lock {
    /// What this lock pins otherwise than an earlier one, by platform and name.
    pub fn changes_since(&self, then: &Self) -> Vec<LockChange> {
        let platforms: BTreeSet<&String> = self.platforms.keys().chain(then.platforms.keys()).collect();
        let changes = platforms.into_iter().flat_map(|name| {
            let pins = |lock: &Self| lock.platforms.get(name).map(pins).unwrap_or_default();
            compared(name, &pins(then), &pins(self))
        });
        changes.chain(compared("any", &files(then), &files(self))).collect()
    }
}

fn compared(
    platform: &str,
    then: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<LockChange> {
    let change = |subject: &String| LockChange {
        platform: platform.to_owned(),
        subject: subject.clone(),
        then: then.get(subject).cloned(),
        now: now.get(subject).cloned(),
    };
    differing_names(then, now).into_iter().map(change).collect()
}

/// What a lock pins, in words, by the name a user knows it by.
fn pins(lock: &PlatformLock) -> BTreeMap<String, String> {
    let packages = lock.packages.iter().map(|it| (it.name.to_string(), it.version.to_string()));
    let mut pins: BTreeMap<String, String> = packages.collect();
    let python = match &lock.interpreter.full {
        Some(full) => full.to_string(),
        None => lock.interpreter.minor.to_string(),
    };
    pins.insert("python".to_owned(), python);
    pins.extend(lock.compiler.iter().map(|compiler| ("compiler".to_owned(), compiler.identity.clone())));
    let chosen = lock.results.apt.packages.iter();
    pins.extend(chosen.map(|it| (format!("{} (apt)", it.full_name()), it.version.to_string())));
    match &lock.base {
        BaseLock::Image { reference, digest } => {
            pins.insert("base".to_owned(), format!("{reference}@{digest}"));
        }
        BaseLock::Local { image, digest } => {
            pins.insert("base".to_owned(), format!("{image}@{digest}"));
        }
        BaseLock::Debian { packages } => {
            pins.insert("base".to_owned(), format!("Debian {}", packages.suite));
            let versions =
                packages.packages.iter().map(|it| (format!("{} (Debian)", it.name), it.version.to_string()));
            pins.extend(versions);
        }
    }
    pins
}

/// What a lock has copied, in words, by the names of files.
fn files(lock: &Lock) -> BTreeMap<String, String> {
    let entries = lock.sources.iter().flat_map(|(source, tree)| {
        tree.entries.iter().map(move |(path, entry)| {
            let content = match entry {
                SourceEntry::Folder => "(folder)".to_owned(),
                SourceEntry::Link { target } => format!("(link to {target})"),
                SourceEntry::File { executable, digest, .. } => {
                    let program = if *executable { ", executable" } else { "" };
                    format!("({:.12}{program})", digest.hex())
                }
            };
            (entry_name(source, path), content)
        })
    });
    entries.collect()
}

impl fmt::Display for LockChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = &self.subject;
        match (&self.then, &self.now) {
            (Some(then), Some(now)) => write!(f, "{subject} {then} -> {now}"),
            (None, Some(now)) => write!(f, "{subject} {now} is new"),
            (then, None) => write!(f, "{subject} {} is gone", then.as_deref().unwrap_or_default()),
        }
    }
}
