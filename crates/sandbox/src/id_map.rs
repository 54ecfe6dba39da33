use std::path::Path;
use std::process::{Command, Output};

use rustix::process::{getegid, geteuid};

use crate::SandboxError;

/// The ids of a user namespace: 0 inside is the caller, 1 and up are the caller's subordinate ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdMap {
    users: Ids,
    groups: Ids,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ids {
    own: u32,
    subordinate: Vec<Range>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: u32,
    count: u32,
}

impl IdMap {
    /// What `/etc/subuid` and `/etc/subgid` grant to the caller.
    pub(crate) fn of_caller() -> Result<Self, SandboxError> {
        let uid = geteuid().as_raw();
        let name = user_name(uid)?;
        let ids = |file: &str, own: u32| -> Result<Ids, SandboxError> {
            let subordinate = granted(&read(Path::new(file))?, &name, uid);
            if subordinate.is_empty() {
                return Err(SandboxError::NoSubordinateIds { file: file.into(), user: name.clone() });
            }
            Ok(Ids { own, subordinate })
        };
        Ok(Self { users: ids("/etc/subuid", uid)?, groups: ids("/etc/subgid", getegid().as_raw())? })
    }

    /// Writes the maps of the user namespace of process `pid`, which the caller must have made.
    pub(crate) fn write(&self, pid: u32) -> Result<(), SandboxError> {
        write_with("newuidmap", pid, &self.users)?;
        write_with("newgidmap", pid, &self.groups)
    }

    /// A name that is equal for equal maps only.
    pub(crate) fn key(&self) -> String {
        let ids = |ids: &Ids| {
            let ranges = ids.subordinate.iter().map(|range| format!("-{}+{}", range.start, range.count));
            format!("{}{}", ids.own, ranges.collect::<String>())
        };
        format!("map-{}-{}", ids(&self.users), ids(&self.groups))
    }
}

impl Ids {
    /// The triples that newuidmap takes: first id inside, first id outside, count.
    fn triples(&self) -> Vec<u32> {
        let mut triples = vec![0, self.own, 1];
        let mut inside = 1;
        for range in &self.subordinate {
            triples.extend([inside, range.start, range.count]);
            inside += range.count;
        }
        triples
    }
}

fn write_with(tool: &'static str, pid: u32, ids: &Ids) -> Result<(), SandboxError> {
    #[expect(clippy::disallowed_methods, reason = "the one place where the id map tools are started")]
    let Output { status, stderr, .. } = Command::new(tool)
        .arg(pid.to_string())
        .args(ids.triples().iter().map(u32::to_string))
        .output()
        .map_err(|source| SandboxError::StartIdMapTool { tool, source })?;
    if status.success() {
        return Ok(());
    }
    Err(SandboxError::IdMapRefused { tool, said: String::from_utf8_lossy(&stderr).trim().to_owned() })
}

fn read(file: &Path) -> Result<String, SandboxError> {
    match fs_err::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        result => result
            .map_err(|source| SandboxError::Step { step: "find the subordinate ids".to_owned(), source }),
    }
}

/// The name that `/etc/passwd` has for a user, or its number; subuid(5) allows either.
fn user_name(uid: u32) -> Result<String, SandboxError> {
    let passwd = read(Path::new("/etc/passwd"))?;
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    Ok(name.map_or_else(|| uid.to_string(), str::to_owned))
}

/// How many user ids the calling process's user namespace has.
pub(crate) fn available_ids() -> Result<u64, SandboxError> {
    let map = read(Path::new("/proc/self/uid_map"))?;
    Ok(map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum())
}

/// The ranges of a subuid(5) file for one user, in its order, cut off where ids would no longer fit.
fn granted(file: &str, name: &str, uid: u32) -> Vec<Range> {
    let mut total: u32 = 1;
    file.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let owner = fields.next()?;
            let range = Range { start: fields.next()?.parse().ok()?, count: fields.next()?.parse().ok()? };
            (owner == name || owner.parse() == Ok(uid)).then_some(range)
        })
        .filter(|range| range.count > 0 && range.start.checked_add(range.count).is_some())
        .take_while(|range| total.checked_add(range.count).inspect(|sum| total = *sum).is_some())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_ranges_of_one_user() {
        let file = "# comment\nann:100000:65536\nbob:165536:65536\n1001:300000:10\nann:500000:0\nann:x:1\n";
        for (name, uid, expected) in [
            ("ann", 1000, vec![Range { start: 100_000, count: 65_536 }]),
            ("bob", 1001, vec![Range { start: 165_536, count: 65_536 }, Range { start: 300_000, count: 10 }]),
            ("eve", 1002, vec![]),
        ] {
            assert_eq!(granted(file, name, uid), expected, "{name}");
        }
    }

    #[test]
    fn maps_the_caller_to_0_and_the_ranges_behind_it() {
        let subordinate = vec![Range { start: 165_536, count: 65_536 }, Range { start: 300_000, count: 10 }];
        let ids = Ids { own: 1001, subordinate };
        assert_eq!(ids.triples(), [0, 1001, 1, 1, 165_536, 65_536, 65_537, 300_000, 10]);
    }
}
