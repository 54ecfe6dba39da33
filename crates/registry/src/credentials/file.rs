use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::server::normal_key;
use super::{Credential, CredentialsError, Secret};

/// Docker's `config.json` or Podman's `auth.json`, with its keys in normal form.
#[derive(Debug)]
pub(super) struct ConfigFile {
    path: PathBuf,
    store: Option<String>,
    helpers: BTreeMap<String, String>,
    written: BTreeMap<String, Entry>,
}

/// Which registries a file has credentials for; never the credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialOverview {
    /// The file.
    pub path: PathBuf,
    /// `ghcr.io`, `eu.gcr.io (credHelpers gcloud)`, `others (credsStore desktop)`.
    pub registries: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    auths: Option<BTreeMap<String, Option<Entry>>>,
    #[serde(default)]
    creds_store: Option<String>,
    #[serde(default)]
    cred_helpers: Option<BTreeMap<String, String>>,
}

/// One entry of `auths`. No `Debug`: it holds secrets.
#[derive(Default, Deserialize)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    identitytoken: String,
    #[serde(default)]
    registrytoken: String,
}

/// Written by many tools, so the padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entry(redacted)")
    }
}

impl ConfigFile {
    /// Reads the file; none when it is absent and need not be there.
    pub(super) fn load(path: &Path, required: bool) -> Result<Option<Self>, CredentialsError> {
        match fs_err::read(path) {
            Ok(bytes) => Self::parse(path, &bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => Ok(None),
            Err(source) => Err(CredentialsError::Unreadable { source }),
        }
    }

    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, CredentialsError> {
        // `docker login` leaves an empty file behind when it is killed; Docker reads that as no settings.
        let bytes = if bytes.trim_ascii().is_empty() { b"{}" } else { bytes };
        let wire: Wire = serde_json::from_slice(bytes)
            .map_err(|source| CredentialsError::Malformed { path: path.to_owned(), source })?;
        let written = wire.auths.unwrap_or_default();
        let helpers = wire.cred_helpers.unwrap_or_default();
        Ok(Self {
            path: path.to_owned(),
            store: wire.creds_store.filter(|helper| !helper.is_empty()),
            helpers: helpers.into_iter().map(|(key, helper)| (normal_key(&key), helper)).collect(),
            written: written
                .into_iter()
                .filter_map(|(key, entry)| Some((normal_key(&key), entry?)))
                .filter(|(_, entry)| !entry.is_empty())
                .collect(),
        })
    }

    /// Which registries it serves, and by which helper.
    pub(super) fn overview(&self) -> CredentialOverview {
        let helper = |(registry, helper): (&String, &String)| format!("{registry} (credHelpers {helper})");
        let helpers = self.helpers.iter().map(helper);
        let written = self.written.keys().filter(|key| !self.helpers.contains_key(*key)).cloned();
        let store = self.store.iter().map(|helper| format!("others (credsStore {helper})"));
        let registries = helpers.chain(written).chain(store).collect();
        CredentialOverview { path: self.path.clone(), registries }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn store(&self) -> Option<&str> {
        self.store.as_deref()
    }

    /// The helper for a normal key.
    pub(super) fn helper_for(&self, key: &str) -> Option<&str> {
        self.helpers.get(key).map(String::as_str).filter(|helper| !helper.is_empty())
    }

    /// The credential written in the file for a normal key.
    pub(super) fn credential_for(&self, key: &str) -> Result<Option<Credential>, CredentialsError> {
        let Some(entry) = self.written.get(key) else { return Ok(None) };
        if !entry.identitytoken.is_empty() {
            return Ok(Some(Credential::Identity { token: Secret::new(&entry.identitytoken) }));
        }
        if !entry.registrytoken.is_empty() {
            return Ok(Some(Credential::Bearer { token: Secret::new(&entry.registrytoken) }));
        }
        if entry.auth.is_empty() {
            return Ok(Some(Credential::from_login(entry.username.clone(), entry.password.clone())));
        }
        let malformed =
            || CredentialsError::MalformedAuth { path: self.path.clone(), registry: key.to_owned() };
        let decoded = BASE64.decode(entry.auth.trim()).map_err(|_| malformed())?;
        let decoded = String::from_utf8(decoded).map_err(|_| malformed())?;
        let (username, password) = decoded.split_once(':').ok_or_else(malformed)?;
        // Old versions of Docker padded the value with NUL.
        let password = password.trim_end_matches('\0');
        Ok(Some(Credential::from_login(username.to_owned(), password.to_owned())))
    }
}

impl Entry {
    /// Docker leaves `{}` where a helper holds the credential.
    fn is_empty(&self) -> bool {
        [&self.auth, &self.username, &self.identitytoken, &self.registrytoken]
            .iter()
            .all(|value| value.is_empty())
    }
}

impl Credential {
    /// Docker's convention: the user name `<token>` says that the password is an identity token.
    pub(super) fn from_login(username: String, password: String) -> Self {
        if username == "<token>" {
            Self::Identity { token: Secret::new(password) }
        } else {
            Self::Password { username, password: Secret::new(password) }
        }
    }
}
