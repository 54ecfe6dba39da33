use imagewright_debian::Suite;
use imagewright_lock::{AptResult, BaseLock, SystemPackage};
use imagewright_oci::{Digest, Platform};

use crate::definition::{Content, LayerDefinition, LayerKind};
use crate::error::PlanError;
use crate::execution::{Execution, day, debian_environment, execution_layer, parent, settled, shortened};
use crate::planner::Scope;

/// Where apt sees the folders that it shares with other builds: `lists` and `archives`.
pub const APT_CACHE: &str = "/run/imagewright/apt";

/// Where apt finds the `sources.list` that it is to use, if there is one, its `preferences`, the `pins` that it has to keep
/// to, if it has, and `offline` where it has no network; and where it writes what it has `chosen`, and which pins are
/// `gone`.
pub const APT_NOTES: &str = "/run/imagewright/apt-notes";

/// What apt is to do, and what it needs of the machine. The machine is in no key: it changes where packages come from,
/// and not which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AptAccess {
    /// Names what is shared: packages of other systems and architectures are others, and what the programs of one base
    /// have put there is not for those of another.
    pub cache: String,
    /// The system, for messages.
    pub system: String,
    /// The suite, where mirrors of Debian take the place of the image's sources.
    pub suite: Option<Suite>,
    /// What the spec asks for.
    pub asked: Vec<AskedPackage>,
    /// The digest of what is asked for, and of what it is installed in.
    pub of: Digest,
    /// In which versions.
    pub versions: AptVersions,
}

/// A package of the system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AskedPackage {
    /// As apt takes it: `git`, `git=1:2.39.5-0+deb12u2`.
    pub text: String,
    /// Where it was written: `apt_packages[0]`.
    pub origin: String,
}

/// In which versions packages are installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AptVersions {
    /// In these, and with no others: that is the result of an earlier run for the same.
    Chosen(Vec<SystemPackage>),
    /// Those that apt chooses; in these where it can.
    Preferred(Vec<SystemPackage>),
}

/// Installs packages in the versions of `pins`, or finds out what would be installed and writes that to `chosen`.
///
/// Lists and downloads are in folders that other builds use, too, and that belong to whoever builds, so apt fetches as
/// the user that it is. Only what is asked for is named to apt, so that it knows what came with it: versions of the rest
/// are preferences. What the archive has no longer may be among the downloads that were kept, which apt then has as a
/// further source.
const INSTALL: &str = r#"
cache=$1 notes=$2 days=$3
shift 3
sources=
if [ -e "$notes/sources.list" ]; then
    sources="-o Dir::Etc::sourcelist=$notes/sources.list -o Dir::Etc::sourceparts=-"
fi
if [ -e /etc/apt/preferences ]; then cat /etc/apt/preferences >> "$notes/preferences"; fi
manage() {
    apt-get -q -y -o Dir::State::lists="$cache/lists/" -o Dir::Cache::archives="$cache/archives/" \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Keep-Downloaded-Packages=true \
        -o Dir::Etc::preferences="$notes/preferences" -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 \
        ${SSL_CERT_FILE:+-o Acquire::https::CAInfo="$SSL_CERT_FILE"} $sources "$@"
}
update() { manage update || [ -e "$notes/offline" ]; }
choose() {
    manage -s install --no-install-recommends --allow-downgrades "$@" > "$notes/simulation" || return 1
    sed -n 's/^Inst \([^ ]*\) \(\[[^]]*\] \)\{0,1\}(\([^ ]*\) .*/\1=\3/p' "$notes/simulation" | sort > "$notes/chosen"
}
is_chosen() { cmp -s "$notes/pins" "$notes/chosen"; }
offer_downloads() {
    while IFS='=' read -r name version; do
        for file in "$cache/archives/${name%:*}_$(echo "$version" | sed 's/:/%3a/g')"_*.deb; do
            if [ -e "$file" ]; then
                dpkg-deb -f "$file"
                echo "Filename: apt/archives/${file##*/}"
                echo "Size: $(stat -c %s "$file")"
                echo "SHA256: $(sha256sum < "$file" | cut -d ' ' -f 1)"
                echo
            fi
        done
    done < "$notes/pins" > "$notes/Packages"
    if [ ! -e "$notes/sources.list" ]; then
        cat /etc/apt/sources.list > "$notes/sources.list" 2> /dev/null || true
        sources="-o Dir::Etc::sourcelist=$notes/sources.list"
    fi
    echo "deb [trusted=yes] file:${notes%/*} ${notes##*/}/" >> "$notes/sources.list"
    update
}
update
if [ ! -e "$notes/pins" ]; then
    if ! choose "$@"; then
        rm "$notes/preferences"
        choose "$@"
    fi
    exit
fi
choose "$@" || true
if ! is_chosen; then
    offer_downloads
    choose "$@" || true
fi
if ! is_chosen; then
    comm -23 "$notes/pins" "$notes/chosen" > "$notes/gone"
    exit 1
fi
manage install --no-install-recommends --allow-downgrades "$@"
"#;

/// The layer of the spec's packages of the system, above `below` (design D8).
pub(crate) fn apt_layer(
    scope: &Scope<'_>,
    below: &[LayerDefinition],
) -> Result<Option<LayerDefinition>, PlanError> {
    let Some(asked) = asked(scope) else { return Ok(None) };
    check(scope, &asked)?;
    let names: Vec<&str> = asked.iter().map(|package| package.text.as_str()).collect();
    let title = format!("apt packages: {}", shortened(&names.join(" ")));
    let script = settled(INSTALL);
    let days = day(scope.epoch);
    let program = ["/bin/sh", "-e", "-c", &script, "sh", APT_CACHE, APT_NOTES, &days];
    let mut execution = Execution {
        argv: program.into_iter().chain(names).map(str::to_owned).collect(),
        environment: debian_environment(),
        working_directory: "/".to_owned(),
        origin: "apt_packages".to_owned(),
        apt: None,
    };
    let below = parent(scope, below.iter());
    let kind = LayerKind::SystemPackages;
    // Without versions its key is the digest of what they are chosen for.
    let open = execution_layer(scope, kind, title.clone(), execution.clone(), below);
    let of = open.key.0;
    let AptResult { of: chosen_for, packages, .. } = &scope.lock.results.apt;
    let mut inputs = open.inputs;
    inputs.extend(packages.iter().map(|it| (format!("apt {}", it.full_name()), it.version.to_string())));
    let versions = if *chosen_for == Some(of) { AptVersions::Chosen } else { AptVersions::Preferred };
    execution.apt = Some(access(scope, asked, of, versions(packages.clone())));
    let content = Content::Execution(execution);
    let definition = LayerDefinition::new(kind, title, inputs, open.because, content);
    Ok(Some(definition.with_origins(open.origins)))
}

/// Refuses what can only fail, or makes apt do something else than to install.
fn check(scope: &Scope<'_>, asked: &[AskedPackage]) -> Result<(), PlanError> {
    if let Some(AskedPackage { text, origin }) = asked.iter().find(|package| package.text.starts_with('-')) {
        return Err(PlanError::AptOption { origin: origin.clone(), option: text.clone() });
    }
    if scope.base.facts.apt {
        return Ok(());
    }
    Err(PlanError::NoApt { origin: "apt_packages".to_owned(), system: scope.system() })
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

fn access(scope: &Scope<'_>, asked: Vec<AskedPackage>, of: Digest, versions: AptVersions) -> AptAccess {
    let (suite, origin) = match &scope.lock.base {
        BaseLock::Debian { packages } => (Some(packages.suite), None),
        // Who may move a tag of it is trusted with all of them.
        BaseLock::Image { reference, .. } => (None, Some(reference.name_only().to_string())),
        BaseLock::Local { .. } => (None, Some(parent(scope, [].iter()).to_string())),
    };
    let system = scope.system();
    let cache = cache_name(&system, &scope.base.config.platform, origin.as_deref());
    AptAccess { cache, system, suite, asked, of, versions }
}

/// How many digits of the digest of a base's origin its cache is named with.
const ORIGIN_DIGITS: usize = 16;

fn cache_name(system: &str, platform: &Platform, origin: Option<&str>) -> String {
    let origin = origin.map(|origin| Digest::of(origin.as_bytes()).hex()[..ORIGIN_DIGITS].to_owned());
    let words: String =
        format!("{system} {} {}", platform.architecture, origin.unwrap_or_default())
            .trim_end()
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
        assert_eq!(cache_name("Debian bookworm", &amd, None), "step-apt-debian-bookworm-amd64");
        assert_eq!(cache_name("../x", &Platform::new("linux", "arm64"), None), "step-apt-..-x-arm64");
        let of = |origin| cache_name("Ubuntu 24.04.1 LTS", &amd, Some(origin));
        assert!(of("docker.io/library/ubuntu").starts_with("step-apt-ubuntu-24.04.1-lts-amd64-"));
        assert_ne!(of("docker.io/library/ubuntu"), of("registry.example/ubuntu"));
    }
}
