use serde::{Deserialize, Serialize};

use super::Tree;

/// The users and groups of an image, in the order and with the text of its files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// `/etc/passwd`, as written.
    pub passwd: String,
    /// `/etc/group`, as written.
    pub group: String,
}

/// One line of `passwd(5)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Numeric id.
    pub uid: u64,
    /// Numeric id of the primary group.
    pub gid: u64,
    /// Home directory, with its leading slash.
    pub home: String,
}

/// One line of `group(5)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Group name.
    pub name: String,
    /// Numeric id.
    pub gid: u64,
}

impl Accounts {
    pub(super) fn from_tree(tree: &Tree) -> Self {
        let text = |path| tree.text(path).unwrap_or_default();
        Self { passwd: text("etc/passwd"), group: text("etc/group") }
    }

    /// The users; lines that are none are passed over, as the C library does.
    pub fn users(&self) -> impl Iterator<Item = User> {
        self.passwd.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, gid, _, home, ..] = fields[..] else { return None };
            let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
            Some(User { name: name.to_owned(), uid, gid, home: home.to_owned() })
        })
    }

    /// The groups; lines that are none are passed over, as the C library does.
    pub fn groups(&self) -> impl Iterator<Item = Group> {
        self.group.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, gid, ..] = fields[..] else { return None };
            Some(Group { name: name.to_owned(), gid: gid.parse().ok()? })
        })
    }

    /// The user of this name.
    pub fn user(&self, name: &str) -> Option<User> {
        self.users().find(|user| user.name == name)
    }

    /// The least id from 1000 that is neither a user's nor a group's, as `useradd` picks it.
    pub fn free_id(&self) -> u64 {
        let taken: Vec<u64> =
            self.users().map(|user| user.uid).chain(self.groups().map(|group| group.gid)).collect();
        (1000..u64::MAX).find(|id| !taken.contains(id)).expect("ids do not run out")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_picks() {
        let accounts = Accounts {
            passwd: "root:x:0:0:root:/root:/bin/bash\nbroken\napp:x:1000:1001::/home/app:/bin/sh\n"
                .to_owned(),
            group: "root:x:0:\napp:x:1001:\n".to_owned(),
        };
        assert_eq!(accounts.user("app").unwrap().gid, 1001);
        assert_eq!(accounts.user("broken"), None);
        assert_eq!(accounts.free_id(), 1002);
    }
}
