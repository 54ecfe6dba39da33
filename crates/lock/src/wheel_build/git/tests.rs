use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use futures_util::future::join_all;
use tempfile::TempDir;
use url::Url;

use super::*;

/// Repositories of this machine, and a store.
struct World {
    folder: TempDir,
    indexes: IndexSettings,
    host: Host,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "where the real git is")]
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = std::env::var("PATH").unwrap();
        let home = folder.path().display().to_string();
        let variables = BTreeMap::from([("PATH".to_owned(), path), ("HOME".to_owned(), home)]);
        let host = Host::new(variables, folder.path().to_owned());
        Self { folder, indexes: IndexSettings::default(), host }
    }

    /// The settings of git's user.
    fn set(&self, setting: &str, value: &str) {
        self.git("", &["config", "--global", setting, value]);
    }

    /// Commits a file with this text in the repository `name`, which is made when it is not there.
    fn commit(&self, name: &str, text: &str) -> Commit {
        let folder = self.folder.path().join(name);
        if !folder.exists() {
            fs_err::create_dir(&folder).unwrap();
            self.git(name, &["init", "--quiet", "--initial-branch=main"]);
        }
        fs_err::write(folder.join("text"), text).unwrap();
        self.git(name, &["add", "--all"]);
        self.git(name, &["commit", "--quiet", "--message", text]);
        Commit::parse(&self.git(name, &["rev-parse", "HEAD"])).unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "the real git")]
    fn git(&self, folder: &str, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@b.test"]).args(arguments);
        command.env_clear().envs(self.host.variables()).current_dir(self.folder.path().join(folder));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The store, as another process opens it.
    fn store(&self) -> Store {
        Store::open(&self.folder.path().join("store"), 1).unwrap()
    }

    fn repository<'a>(&'a self, store: &'a Store, name: &str, offline: bool) -> Repository<'a> {
        let url = Url::from_file_path(self.folder.path().join(name)).unwrap();
        let (indexes, host) = (&self.indexes, &self.host);
        Repository { address: Address::of(&url), store, host, indexes, offline, is_users: true }
    }

    async fn resolve(&self, revision: &str, offline: bool) -> Result<Commit, String> {
        let store = self.store();
        let repository = self.repository(&store, "it", offline);
        repository.resolve(Some(revision)).await.map_err(|error| error.to_string())
    }

    async fn laid_out(&self, commit: &Commit, name: &str, offline: bool) -> Result<PathBuf, String> {
        let (store, folder) = (self.store(), self.folder.path().join(name));
        fs_err::create_dir(&folder).unwrap();
        let repository = self.repository(&store, "it", offline);
        repository.check_out(commit, &folder).await.map_err(|error| error.to_string())?;
        Ok(folder)
    }
}

#[tokio::test]
async fn builds_at_once_each_get_what_they_asked_for() {
    let world = World::new();
    let mut wanted = Vec::new();
    for number in 0..8 {
        let commit = world.commit("it", &format!("text {number}"));
        let name = format!("refs/pull/{number}/head");
        world.git("it", &["update-ref", &name, commit.as_str()]);
        wanted.push((name, commit));
    }
    world.git("it", &["reset", "--quiet", "--hard", wanted[0].1.as_str()]);
    let found = join_all(wanted.iter().map(|(name, _)| world.resolve(name, false))).await;
    let expected: Vec<_> = wanted.iter().map(|(_, commit)| Ok(commit.clone())).collect();
    assert_eq!(found, expected);
    let names: Vec<String> = (0..8).map(|number| format!("out-{number}")).collect();
    let laid_out = wanted.iter().zip(&names).map(|((_, commit), name)| world.laid_out(commit, name, true));
    for (number, folder) in join_all(laid_out).await.into_iter().enumerate() {
        let text = fs_err::read_to_string(folder.unwrap().join("text")).unwrap();
        assert_eq!(text, format!("text {number}"));
    }
}

#[tokio::test]
async fn without_network_what_was_fetched_before_is_there() {
    let world = World::new();
    let first = world.commit("it", "one");
    let offline = |revision| world.resolve(revision, true);
    let refused = offline("main").await.unwrap_err();
    assert!(
        refused.contains("`main` of file://") && refused.contains("the network may not be used"),
        "{refused}"
    );
    assert_eq!(world.resolve("main", false).await.as_ref(), Ok(&first));
    let second = world.commit("it", "two");
    assert_eq!(offline("main").await.as_ref(), Ok(&first));
    offline(second.as_str()).await.unwrap_err();
    world.laid_out(&second, "second", true).await.unwrap_err();
    world.laid_out(&first, "first", true).await.unwrap();
}

#[tokio::test]
async fn branches_go_as_they_came() {
    let world = World::new();
    let first = world.commit("it", "one");
    world.git("it", &["branch", "topic"]);
    assert_eq!(world.resolve("topic", false).await.as_ref(), Ok(&first));
    world.git("it", &["branch", "--delete", "topic"]);
    let gone = world.resolve("topic", false).await.unwrap_err();
    assert!(gone.contains("has no branch, tag or commit `topic`"), "{gone}");
    world.git("it", &["branch", "topic/one"]);
    assert_eq!(world.resolve("topic/one", false).await.as_ref(), Ok(&first));
    assert_eq!(world.resolve("HEAD", false).await.as_ref(), Ok(&first));

    // A git that was killed leaves its locks.
    let copies = world.store().cache("git").unwrap();
    let copy = fs_err::read_dir(copies).unwrap().next().unwrap().unwrap().path();
    fs_err::write(copy.join("packed-refs.lock"), "").unwrap();
    fs_err::write(copy.join("refs/heads/main.lock"), "").unwrap();
    let second = world.commit("it", "two");
    assert_eq!(world.resolve("main", false).await.as_ref(), Ok(&second));
}

#[tokio::test]
async fn history_and_its_tags_are_there_and_no_others() {
    let world = World::new();
    world.commit("it", "one");
    world.git("it", &["tag", "v1.0"]);
    let commit = world.commit("it", "two");
    world.git("it", &["switch", "--quiet", "--create", "other"]);
    world.commit("it", "three");
    world.git("it", &["tag", "v2.0"]);
    world.laid_out(&commit, "out", false).await.unwrap();
    let described = world.git("out", &["describe", "--tags", "--dirty"]);
    assert_eq!(described, format!("v1.0-1-g{}", &commit.as_str()[..7]));
    assert_eq!(world.git("out", &["tag"]), "v1.0");
}

#[tokio::test]
async fn submodules_come_from_copies_of_their_own() {
    let world = World::new();
    world.commit("inner", "inner");
    world.commit("it", "outer");
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../inner", "lib/inner"];
    world.git("it", &add);
    let commit = world.commit("it", "with it");
    // What a repository names is not what its user names: git does not follow it to folders of this machine.
    let refused = world.laid_out(&commit, "refused", false).await.unwrap_err();
    assert!(refused.contains("transport 'file' not allowed"), "{refused}");
    world.set("protocol.file.allow", "always");
    let offline = world.laid_out(&commit, "offline", true).await.unwrap_err();
    assert!(offline.contains("/inner was not fetched before"), "{offline}");
    for (name, is_offline) in [("online", false), ("again", true)] {
        let folder = world.laid_out(&commit, name, is_offline).await.unwrap();
        assert_eq!(fs_err::read_to_string(folder.join("lib/inner/text")).unwrap(), "inner");
        assert_eq!(world.git(name, &["status", "--porcelain"]), "");
    }
}
