use std::io;

use rustix::process::{Gid, Uid};

use crate::task::{Failure, Trying as _};

/// Who runs the command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    pub(super) groups: Vec<Gid>,
    pub(super) home: String,
}

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

impl User {
    /// Looks up the user of an image configuration (`name`, `uid`, `name:group`, `uid:gid` or nothing) in the
    /// root file system that this process has entered, as container engines do: a number needs no entry, a user
    /// without an entry has group 0, and a given group excludes the supplementary ones.
    pub(super) fn look_up(text: &str) -> Result<Self, Failure> {
        Self::find(text, &read(PASSWD)?, &read(GROUP)?)
    }

    fn find(text: &str, passwd: &str, group: &str) -> Result<Self, Failure> {
        let (name, group_name) = match text.split_once(':') {
            Some((name, group)) => (name, Some(group).filter(|group| !group.is_empty())),
            None => (text, None),
        };
        let name = if name.is_empty() { "0" } else { name };
        let entry = passwd.lines().filter_map(Entry::parse).find(|entry| entry.is(name));
        let uid = match (&entry, name.parse()) {
            (Some(entry), _) => entry.uid,
            (None, Ok(uid)) => uid,
            (None, Err(_)) => return Err(missing("user", name, PASSWD)),
        };
        let given = group_name.map(|name| group_id(name, group)).transpose()?;
        let gid = given.or(entry.as_ref().map(|entry| entry.gid)).unwrap_or(0);
        let groups = match (&entry, given) {
            (Some(entry), None) => supplementary(entry.name, gid, group),
            _ => vec![gid],
        };
        Ok(Self {
            uid: Uid::from_raw(uid),
            gid: Gid::from_raw(gid),
            groups: groups.into_iter().map(Gid::from_raw).collect(),
            home: entry.map(|entry| entry.home).filter(|home| !home.is_empty()).unwrap_or("/").to_owned(),
        })
    }
}

/// A line of passwd(5).
struct Entry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let fields: Vec<_> = line.split(':').collect();
        let &[name, _, uid, gid, _, home, ..] = fields.as_slice() else { return None };
        Some(Self { name, uid: uid.parse().ok()?, gid: gid.parse().ok()?, home })
    }

    fn is(&self, name: &str) -> bool {
        self.name == name || name.parse() == Ok(self.uid)
    }
}

/// The lines of a group(5) file: name, id, members.
fn groups(file: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    file.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let gid = fields.nth(1)?.parse().ok()?;
        Some((name, gid, fields.next().unwrap_or_default()))
    })
}

fn group_id(name: &str, file: &str) -> Result<u32, Failure> {
    groups(file)
        .find_map(|(group, gid, _)| (group == name).then_some(gid))
        .or_else(|| name.parse().ok())
        .ok_or_else(|| missing("group", name, GROUP))
}

fn supplementary(user: &str, gid: u32, file: &str) -> Vec<u32> {
    let others = groups(file)
        .filter(|(_, other, members)| *other != gid && members.split(',').any(|member| member == user))
        .map(|(_, other, _)| other);
    std::iter::once(gid).chain(others).collect()
}

fn missing(kind: &str, name: &str, file: &str) -> Failure {
    Failure::NoSuchUser { kind: kind.to_owned(), name: name.to_owned(), file: file.to_owned() }
}

/// An image without the file has no names, which is not a failure as long as none is asked for.
fn read(file: &str) -> Result<String, Failure> {
    match fs_err::read(file) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(String::new())
        }
        Err(error) => Err(error).trying(|| format!("read {file} of the image")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/bash\nflytekit:x:1000:1001::/home/flytekit:/bin/sh\nbroken\n";
    const GROUP: &str = "root:x:0:\nflytekit:x:1001:\nvideo:x:44:other,flytekit\naudio:x:29:flytekit2\n";

    #[test]
    fn users_are_what_container_engines_take_them_for() {
        for (text, uid, gid, groups, home) in [
            ("", 0, 0, vec![0], "/root"),
            ("root", 0, 0, vec![0], "/root"),
            ("flytekit", 1000, 1001, vec![1001, 44], "/home/flytekit"),
            ("1000", 1000, 1001, vec![1001, 44], "/home/flytekit"),
            ("1000:0", 1000, 0, vec![0], "/home/flytekit"),
            ("flytekit:video", 1000, 44, vec![44], "/home/flytekit"),
            ("4711", 4711, 0, vec![0], "/"),
            ("4711:4712", 4711, 4712, vec![4712], "/"),
        ] {
            let user = User::find(text, PASSWD, GROUP).unwrap();
            let groups = groups.into_iter().map(Gid::from_raw).collect();
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            assert_eq!(user, User { uid, gid, groups, home: home.to_owned() }, "{text:?}");
        }
    }

    #[test]
    fn an_unknown_name_is_refused() {
        for (text, kind, name) in [("nobody", "user", "nobody"), ("root:wheel", "group", "wheel")] {
            let Err(Failure::NoSuchUser { kind: found_kind, name: found_name, .. }) =
                User::find(text, PASSWD, GROUP)
            else {
                panic!("{text} was found");
            };
            assert_eq!((found_kind.as_str(), found_name.as_str()), (kind, name));
        }
    }
}
