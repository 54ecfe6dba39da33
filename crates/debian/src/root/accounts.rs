use imagewright_layer::TreeEntry;

use super::tree::{Tree, place};
use crate::DebianError;

/// The group that may read password hashes; base-passwd's master file fixes its number.
const SHADOW_GROUP: u32 = 42;

/// The day that passwords are said to be of: 1980-01-01, as all else in an image.
const DAY: u32 = 3652;

/// Makes the account files of `base-passwd`'s masters and moves the (absent) passwords to the shadow files, as
/// `shadowconfig on` does for a first installation.
pub(super) fn apply(tree: &mut Tree) -> Result<(), DebianError> {
    let master = |name: &str| tree.text("base-passwd", &format!("usr/share/base-passwd/{name}.master"));
    let (users, groups) = (master("passwd")?, master("group")?);
    tree.add_file("etc/passwd", shadowed(&users));
    tree.add_file("etc/group", shadowed(&groups));
    let secret = |path: &str, text: String| {
        TreeEntry::file(place(path), 0o640, text.into_bytes()).owned_by(0, SHADOW_GROUP)
    };
    tree.add_default(secret("etc/shadow", per_name(&users, |name| format!("{name}:*:{DAY}:0:99999:7:::\n"))));
    tree.add_default(secret("etc/gshadow", per_name(&groups, |name| format!("{name}:*::\n"))));
    Ok(())
}

/// The password field says that the password is in the shadow file.
fn shadowed(master: &str) -> String {
    let line = |line: &str| {
        let mut fields: Vec<&str> = line.split(':').collect();
        if let Some(password) = fields.get_mut(1) {
            *password = "x";
        }
        fields.join(":") + "\n"
    };
    master.lines().filter(|text| !text.is_empty()).map(line).collect()
}

fn per_name(master: &str, line: impl Fn(&str) -> String) -> String {
    master
        .lines()
        .filter_map(|text| text.split(':').next())
        .filter(|name| !name.is_empty())
        .map(line)
        .collect()
}
