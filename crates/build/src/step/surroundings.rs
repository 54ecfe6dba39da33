//! What a command of a spec sees of the machine while it runs, and what is in no key and no layer: certificates, proxies,
//! uv, and caches of package managers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use imagewright_lock::uv::Host;
use imagewright_oci::DEFAULT_PATH;
use imagewright_sandbox::Bind;
use imagewright_store::Store;

use crate::BuildError;
use crate::secret::mask::Mask;

/// Where all of it is seen in the image.
const PLACE: &str = "/run/imagewright";

/// Where systems keep the certificates that they trust, as one file.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The variables that programs find their certificates by.
const BUNDLE_VARIABLES: [&str; 6] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
];

/// The variables that Docker, too, gives to every command of a build.
const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy"];

/// Caches of package managers, by the variable that names each.
const CACHES: [(&str, &str); 2] = [("UV_CACHE_DIR", "step-uv"), ("PIP_CACHE_DIR", "step-pip")];

/// What a command sees of the machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) binds: Vec<Bind>,
    /// `NAME=value`.
    variables: Vec<String>,
    /// A folder of programs, for the end of `PATH`.
    programs: Option<String>,
    /// What of it may not be told: passwords of proxies.
    mask: Mask,
}

impl Surroundings {
    /// What this machine has; `uv` is its executable.
    pub(crate) fn of(host: &Host, store: &Store, uv: Option<&Path>) -> Result<Self, BuildError> {
        let mut surroundings = Self::connections(host);
        for (name, folder) in CACHES {
            let seen = surroundings.show(store.cache(folder)?, folder, true);
            surroundings.variables.push(format!("{name}={seen}"));
        }
        if let Some(uv) = uv {
            surroundings.show(uv.to_owned(), "bin/uv", false);
            surroundings.programs = Some(format!("{PLACE}/bin"));
        }
        Ok(surroundings)
    }

    /// What it takes to speak with others: certificates and proxies.
    fn connections(host: &Host) -> Self {
        let mut surroundings = Self::default();
        if let Some(bundle) = bundle(host) {
            let seen = surroundings.show(bundle, "certificates.crt", false);
            surroundings.variables.extend(BUNDLE_VARIABLES.map(|name| format!("{name}={seen}")));
        }
        let names = PROXIES.into_iter().flat_map(|name| [name.to_owned(), name.to_uppercase()]);
        let proxies: Vec<(String, &str)> =
            names.filter_map(|name| host.variable(&name).map(|value| (name, value))).collect();
        surroundings.mask = Mask::of_logins(proxies.iter().map(|(_, value)| *value));
        surroundings.variables.extend(proxies.iter().map(|(name, value)| format!("{name}={value}")));
        surroundings
    }

    /// What of it may not be told.
    pub(crate) fn mask(&self) -> &Mask {
        &self.mask
    }

    /// The environment of a command whose own variables are `own`.
    pub(crate) fn around(&self, own: &[String]) -> Vec<String> {
        let path =
            own.iter().rev().find_map(|variable| variable.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
        let path = self.programs.iter().map(|programs| format!("PATH={path}:{programs}"));
        let is_theirs = |name: &str| BUNDLE_VARIABLES.contains(&name);
        // What an image says of its certificates is true when it runs; this machine's include them.
        let own = own.iter().filter(|variable| !is_theirs(variable.split('=').next().unwrap_or_default()));
        own.cloned().chain(self.variables.clone()).chain(path).collect()
    }

    fn show(&mut self, source: PathBuf, name: &str, writable: bool) -> String {
        let seen = format!("{PLACE}/{name}");
        self.binds.push(Bind { source, target: seen.clone().into(), writable });
        seen
    }
}

/// What a program in an image needs to speak with others as this machine does: the certificates that it trusts, and
/// variables.
pub fn connections(host: &Host) -> (Vec<Bind>, BTreeMap<String, String>) {
    let Surroundings { binds, variables, .. } = Surroundings::connections(host);
    let variables = variables.iter().filter_map(|variable| variable.split_once('='));
    (binds, variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn bundle(host: &Host) -> Option<PathBuf> {
    let named = host.variable("SSL_CERT_FILE").map(|path| host.absolute(path));
    named.into_iter().chain(BUNDLES.map(PathBuf::from)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_its_own_variables_and_the_machines() {
        let surroundings = Surroundings {
            variables: vec![
                "SSL_CERT_FILE=/run/imagewright/certificates.crt".to_owned(),
                "no_proxy=a".to_owned(),
            ],
            programs: Some("/run/imagewright/bin".to_owned()),
            ..Surroundings::default()
        };
        let own = ["PATH=/opt/venv/bin:/bin", "SSL_CERT_FILE=/etc/own.crt", "A=1"].map(str::to_owned);
        let around = surroundings.around(&own);
        assert_eq!(
            around,
            [
                "PATH=/opt/venv/bin:/bin",
                "A=1",
                "SSL_CERT_FILE=/run/imagewright/certificates.crt",
                "no_proxy=a",
                "PATH=/opt/venv/bin:/bin:/run/imagewright/bin",
            ]
        );
    }
}
