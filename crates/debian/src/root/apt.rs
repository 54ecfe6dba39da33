use imagewright_layer::TreeEntry;

use super::tree::{Tree, place};
use crate::Suite;
use crate::mirror::{CANONICAL_ARCHIVE, CANONICAL_SECURITY};

/// What apt does in an image: no translations, lists that stay compressed, and nothing kept on someone's suggestion.
const APT_OPTIONS: &str = "\
Acquire::Languages \"none\";
Acquire::GzipIndexes \"true\";
Apt::AutoRemove::SuggestsImportant \"false\";
";

/// Nothing starts services while packages are installed in an image.
const POLICY: &str = "#!/bin/sh\nexit 101\n";

/// Points apt at Debian's own servers, whatever mirror this base was fetched from.
pub(super) fn apply(tree: &mut Tree, suite: Suite) {
    tree.add_file("etc/apt/sources.list.d/debian.sources", sources(suite));
    tree.add_file("etc/apt/apt.conf.d/90image", APT_OPTIONS);
    tree.add_default(TreeEntry::file(place("usr/sbin/policy-rc.d"), 0o755, POLICY.into()));
}

fn sources(suite: Suite) -> String {
    let source = |uri: &str, suites: String| {
        format!(
            "Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main\n\
             Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        )
    };
    let archive = source(CANONICAL_ARCHIVE, format!("{suite} {suite}-updates"));
    let security = source(CANONICAL_SECURITY, format!("{suite}-security"));
    format!("{archive}\n{security}")
}
