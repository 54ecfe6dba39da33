//! Certificates for a base that has none, so that programs of the image can speak TLS (design D7).

use imagewright_lock::InterpreterSource;
use imagewright_lock::facts::Installed;

use crate::definition::TreeFile;
use crate::planner::Scope;

/// Where programs of Debian, and those that follow it, look for the bundle.
const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";
/// Distributions that carry Mozilla's certificates, and where in their site directory.
const CARRIERS: [(&str, &str); 2] =
    [("pip", "pip/_vendor/certifi/cacert.pem"), ("certifi", "certifi/cacert.pem")];

/// Whether the image has the bundle at the usual place, be it the base's or the link made here.
pub(crate) fn has_bundle(scope: &Scope<'_>) -> bool {
    scope.base.facts.ca_bundle || carried(scope).is_some()
}

/// The bundle that OpenSSL has to be told of: one that is a link here has no folder of hashed names beside it, and
/// an added interpreter was built to look elsewhere than the base does.
pub(crate) fn named_bundle(scope: &Scope<'_>) -> Option<String> {
    let is_added = matches!(scope.lock.interpreter.source, InterpreterSource::Archive { .. });
    let is_needed = is_added || !scope.base.facts.ca_bundle;
    (is_needed && has_bundle(scope)).then(|| format!("/{BUNDLE}"))
}

/// For a base without certificates, a link to those that pip brings into the environment: they are pinned with it,
/// and nothing else has to be fetched. Whoever installs the base's own package of certificates replaces it.
pub(crate) fn certificates(scope: &Scope<'_>) -> Vec<TreeFile> {
    let facts = &scope.base.facts;
    let Some(target) = carried(scope).filter(|_| !facts.ca_bundle) else { return Vec::new() };
    let is_known = |path: &str| {
        facts.directories.iter().any(|directory| directory.path == path)
            || facts.links.iter().any(|link| link.path == path)
    };
    // A folder of the base stays as it is; one that is a link would be lost if it were named here.
    let missing = ["etc/ssl", "etc/ssl/certs"].into_iter().filter(|path| !is_known(path));
    let folders = missing.map(|path| TreeFile::directory(path, 0o755, 0, 0));
    folders.chain([TreeFile::symlink(BUNDLE, &target)]).collect()
}

/// The file of a distribution in the image: one that is installed, else one of the base that stays.
fn carried(scope: &Scope<'_>) -> Option<String> {
    CARRIERS.iter().find_map(|(name, below)| {
        let is_named = |other: &str| other == *name;
        if scope.lock.packages.iter().any(|package| is_named(package.name.as_str())) {
            let (prefix, minor) = (&scope.lock.environment.prefix, scope.lock.interpreter.minor);
            return Some(format!("{prefix}/lib/python{minor}/site-packages/{below}"));
        }
        // Debian's own builds of these leave the file out, and need its package of certificates.
        let is_upstreams = |installed: &&Installed| installed.site.ends_with("/site-packages");
        let mut kept =
            scope.base.facts.installed.iter().filter(|installed| is_named(installed.name.as_str()));
        kept.find(is_upstreams).map(|installed| format!("/{}/{below}", installed.site))
    })
}
