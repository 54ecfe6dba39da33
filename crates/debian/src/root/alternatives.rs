use super::tree::Tree;

/// A link that a package's maintainer script would have `update-alternatives` make.
struct Alternative {
    package: &'static str,
    link: &'static str,
    name: &'static str,
    target: &'static str,
}

const ALTERNATIVES: [Alternative; 5] = [
    Alternative {
        package: "debianutils",
        link: "usr/bin/which",
        name: "which",
        target: "/usr/bin/which.debianutils",
    },
    Alternative { package: "mawk", link: "usr/bin/awk", name: "awk", target: "/usr/bin/mawk" },
    Alternative { package: "mawk", link: "usr/bin/nawk", name: "nawk", target: "/usr/bin/mawk" },
    Alternative { package: "tar", link: "usr/sbin/rmt", name: "rmt", target: "/usr/sbin/rmt-tar" },
    Alternative { package: "util-linux", link: "usr/bin/pager", name: "pager", target: "/usr/bin/more" },
];

/// Makes the links of a package, through `/etc/alternatives`, where it has what they lead to.
pub(super) fn apply(tree: &mut Tree, package: &str) {
    for alternative in ALTERNATIVES.iter().filter(|alternative| alternative.package == package) {
        if tree.has(alternative.target.trim_start_matches('/')) {
            tree.add_link(alternative.link, &format!("/etc/alternatives/{}", alternative.name));
            tree.add_link(&format!("etc/alternatives/{}", alternative.name), alternative.target);
        }
    }
}
