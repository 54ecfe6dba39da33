use imagewright_debian::Suite;
use imagewright_lock::BaseLock;
use imagewright_oci::Platform;

use crate::definition::{LayerDefinition, LayerKind};
use crate::execution::{CLEAN, Execution, day, debian_environment, execution_layer, parent, shortened};
use crate::planner::Scope;

/// Where apt sees the folders that it shares with other builds: `lists` and `archives`.
pub const APT_CACHE: &str = "/run/imagewright/apt";

/// Where apt finds the `sources.list` that it is to use, if there is one, and writes what is `installed`.
pub const APT_NOTES: &str = "/run/imagewright/apt-notes";

/// What apt needs of the machine. It is in no key: it changes where packages come from, and not which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AptAccess {
    /// Names what is shared: packages of other systems and architectures are others.
    pub cache: String,
    /// The system, for messages.
    pub system: String,
    /// The suite, where mirrors of Debian take the place of the image's sources.
    pub suite: Option<Suite>,
    /// What the spec asks for.
    pub asked: Vec<AskedPackage>,
}

/// A package of the system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AskedPackage {
    /// As apt takes it: `git`, `git=1:2.39.5-0+deb12u2`.
    pub text: String,
    /// Where it was written: `apt_packages[0]`.
    pub origin: String,
}

/// Installs packages, and tells which.
///
/// Lists and downloads are in folders that other builds use, too, and that belong to whoever builds, so apt fetches as
/// the user that it is. A base that is no container's may have a day in `/etc/shadow` and an id of the machine, which stay.
const INSTALL: &str = r#"
cache=$1 notes=$2 days=$3
shift 3
list() {
    dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' | sed -n 's/^ii *//p' | sort
}
sources=
if [ -e "$notes/sources.list" ]; then
    sources="-o Dir::Etc::sourcelist=$notes/sources.list -o Dir::Etc::sourceparts=-"
fi
manage() {
    apt-get -q -y -o Dir::State::lists="$cache/lists/" -o Dir::Cache::archives="$cache/archives/" \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Keep-Downloaded-Packages=true \
        -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 \
        ${SSL_CERT_FILE:+-o Acquire::https::CAInfo="$SSL_CERT_FILE"} $sources "$@"
}
list > "$notes/before"
shadow=$(cksum < /etc/shadow)
machine=$(find /etc/machine-id /var/lib/dbus/machine-id 2> /dev/null || true)
manage update
manage install --no-install-recommends --allow-downgrades "$@"
list | comm -13 "$notes/before" - > "$notes/installed"
if [ "$shadow" != "$(cksum < /etc/shadow)" ]; then
    sed -i "s/^\([^:]*:[^:]*:\)[0-9]*:/\1$days:/" /etc/shadow
fi
if [ -z "$machine" ]; then rm -f /etc/machine-id /var/lib/dbus/machine-id; fi
"#;

/// The layer of the spec's packages of the system, above `below` (design D8).
pub(crate) fn apt_layer(scope: &Scope<'_>, below: &[LayerDefinition]) -> Option<LayerDefinition> {
    let asked = asked(scope)?;
    let names: Vec<&str> = asked.iter().map(|package| package.text.as_str()).collect();
    let title = format!("apt packages: {}", shortened(&names.join(" ")));
    let script = format!("{INSTALL}{CLEAN}");
    let days = day(scope.epoch);
    let program = ["/bin/sh", "-e", "-c", &script, "sh", APT_CACHE, APT_NOTES, &days];
    let argv = program.into_iter().chain(names).map(str::to_owned).collect();
    let execution = Execution {
        argv,
        environment: debian_environment(),
        working_directory: "/".to_owned(),
        origin: "apt_packages".to_owned(),
        apt: Some(access(scope, asked)),
    };
    let below = parent(scope, below.iter());
    Some(execution_layer(scope, LayerKind::SystemPackages, title, execution, below))
}

/// By name; as in a shell, an entry may have several.
fn asked(scope: &Scope<'_>) -> Option<Vec<AskedPackage>> {
    let entries = &scope.recipe.apt_packages()?.packages;
    let mut asked: Vec<AskedPackage> = entries
        .iter()
        .flat_map(|entry| entry.text.split_whitespace().map(|text| (text, &entry.origin)))
        .map(|(text, origin)| AskedPackage { text: text.to_owned(), origin: origin.clone() })
        .collect();
    asked.sort();
    asked.dedup_by(|one, other| one.text == other.text);
    Some(asked).filter(|asked| !asked.is_empty())
}

fn access(scope: &Scope<'_>, asked: Vec<AskedPackage>) -> AptAccess {
    let suite = match &scope.lock.base {
        BaseLock::Debian { packages } => Some(packages.suite),
        BaseLock::Image { .. } | BaseLock::Local { .. } => None,
    };
    let system = scope.base.facts.system.clone().unwrap_or_else(|| "the base".to_owned());
    AptAccess { cache: cache_name(&system, &scope.base.config.platform), system, suite, asked }
}

fn cache_name(system: &str, platform: &Platform) -> String {
    let words: String =
        format!("{system} {}", platform.architecture)
            .chars()
            .map(|letter| {
                if letter.is_ascii_alphanumeric() || letter == '.' {
                    letter.to_ascii_lowercase()
                } else {
                    '-'
                }
            })
            .collect();
    format!("step-apt-{words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_and_architectures_share_nothing() {
        let amd = Platform::linux_amd64();
        assert_eq!(cache_name("Debian bookworm", &amd), "step-apt-debian-bookworm-amd64");
        assert_eq!(cache_name("Ubuntu 24.04.1 LTS", &amd), "step-apt-ubuntu-24.04.1-lts-amd64");
        assert_eq!(cache_name("../x", &Platform::new("linux", "arm64")), "step-apt-..-x-arm64");
    }
}
