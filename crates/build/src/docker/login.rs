//! The credentials of `registry_config`, for Docker's client: it has credentials in its configuration alone.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use imagewright_lock::uv::{Host, PrivateFile};
use imagewright_spec::ImageSpec;
use imagewright_store::{ScratchDirectory, Store};
use serde_json::{Map, Value};

use super::error::DockerError;
use crate::BuildError;

const FILE: &str = "config.json";

/// A configuration of Docker's client: the user's, with other credentials. What is in its file is in memory alone.
#[derive(Debug)]
pub(super) struct Login {
    folder: ScratchDirectory,
    _file: PrivateFile,
}

impl Login {
    /// The user's configuration, with the credentials that a spec names before the user's own, if it names any. Those of
    /// specs that make its bases are for hosts that it says nothing of.
    pub(super) fn of(spec: &ImageSpec, host: &Host, store: &Store) -> Result<Option<Self>, BuildError> {
        let given: Vec<&Path> =
            spec.with_bases().filter_map(|spec| spec.registry_config.as_deref()).collect();
        if given.is_empty() {
            return Ok(None);
        }
        let own = host.variable("DOCKER_CONFIG").map(|folder| host.absolute(folder));
        let own = own.or_else(|| host.home().map(|home| home.join(".docker")));
        let users = match own.as_ref().map(|folder| read(&folder.join(FILE))) {
            None => Map::new(),
            Some(Err(DockerError::Login { source, .. })) if source.kind() == ErrorKind::NotFound => {
                Map::new()
            }
            Some(read) => read?,
        };
        let mut all = users;
        for path in given.into_iter().rev() {
            all = merged(all, &read(&host.absolute(path))?);
        }
        let text = Value::Object(all).to_string();
        let folder = store.scratch_directory()?;
        let made = || -> io::Result<PrivateFile> {
            let file = PrivateFile::new(text.as_bytes())?;
            fs_err::os::unix::fs::symlink(file.path(), folder.path().join(FILE))?;
            // Contexts and plugins, buildx for one.
            for other in own.iter().filter(|own| own.is_dir()).flat_map(|own| others(own)) {
                let name = other.file_name().unwrap_or_default();
                fs_err::os::unix::fs::symlink(&other, folder.path().join(name))?;
            }
            Ok(file)
        };
        let file = made().map_err(|source| DockerError::Context { source })?;
        Ok(Some(Self { folder, _file: file }))
    }

    /// What `DOCKER_CONFIG` is to be.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn others(folder: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| !path.ends_with(FILE)).collect()
}

fn read(path: &Path) -> Result<Map<String, Value>, DockerError> {
    let unread = |source| DockerError::Login { path: path.to_owned(), source };
    let text = fs_err::read(path).map_err(unread)?;
    serde_json::from_slice(&text).map_err(|source| unread(source.into()))
}

/// A host has its credentials from the helper that is named for it, else from the store of all, if there is one; only
/// without one does the client look at what is written in the file. So every host gets a helper of its own, or none.
fn merged(mut users: Map<String, Value>, given: &Map<String, Value>) -> Map<String, Value> {
    let mut helpers = table(&users, "credHelpers");
    let mut logins = table(&users, "auths");
    if let Some(Value::String(store)) = users.remove("credsStore") {
        for (host, _) in logins.iter().filter(|(_, login)| is_empty(login)) {
            helpers.entry(host.clone()).or_insert_with(|| store.clone().into());
        }
    }
    let store = given.get("credsStore").filter(|store| store.is_string());
    for (host, login) in table(given, "auths") {
        match store {
            Some(store) if is_empty(&login) => helpers.insert(host.clone(), store.clone()),
            _ => helpers.remove(&host),
        };
        logins.insert(host, login);
    }
    helpers.extend(table(given, "credHelpers"));
    users.insert("auths".to_owned(), logins.into());
    users.insert("credHelpers".to_owned(), helpers.into());
    users
}

fn is_empty(login: &Value) -> bool {
    login.as_object().is_none_or(Map::is_empty)
}

fn table(of: &Map<String, Value>, key: &str) -> Map<String, Value> {
    of.get(key).and_then(Value::as_object).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_given_comes_before_what_the_user_has() {
        let object = |value: Value| value.as_object().unwrap().clone();
        let users = object(json!({
            "currentContext": "far", "credsStore": "desktop", "credHelpers": {"cloud": "gcloud"},
            "auths": {"hub": {}, "both": {}, "plain": {"auth": "own"}}
        }));
        let given = object(json!({
            "auths": {"both": {"auth": "given"}, "cloud": {"auth": "given"}}, "credHelpers": {"new": "ecr"}
        }));
        assert_eq!(
            Value::Object(merged(users.clone(), &given)),
            json!({
                "currentContext": "far", "credHelpers": {"hub": "desktop", "new": "ecr"},
                "auths": {"hub": {}, "both": {"auth": "given"}, "cloud": {"auth": "given"}, "plain": {"auth": "own"}}
            })
        );
        let given = object(json!({"credsStore": "pass", "auths": {"both": {}}}));
        let helpers = merged(users, &given)["credHelpers"].clone();
        assert_eq!(helpers, json!({"cloud": "gcloud", "hub": "desktop", "both": "pass"}));
    }
}
