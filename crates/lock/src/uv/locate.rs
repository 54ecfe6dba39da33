use std::path::{Path, PathBuf};

use imagewright_pypa::Version;

use super::UvError;
use super::{Capabilities, Host, Uv, install};

/// Where a uv may be.
#[derive(Debug)]
pub struct UvSearch<'a> {
    /// The path the user named (`IMAGEWRIGHT_UV`): it or nothing.
    pub explicit: Option<&'a Path>,
    /// The folder of the running program, where an installer may have put one.
    pub beside: Option<&'a Path>,
    /// A folder of ours for installed tools and for what is known of them.
    pub tools: &'a Path,
    /// The machine, for `PATH` and for pip's settings.
    pub host: &'a Host,
}

/// The oldest uv with `--format pylock.toml` and a cache control for each index.
const OLDEST: &str = "0.8.4";
/// Releases from here on may speak another language.
const TOO_NEW: &str = "1";

/// Finds uv: the named one, one beside this program, one on `PATH`, one installed before, else installs it with
/// the machine's own pip, whose index settings then apply. That takes seconds, and `installing` is called before.
pub async fn locate(search: &UvSearch<'_>, installing: impl FnOnce()) -> Result<Uv, UvError> {
    if let Some(path) = search.explicit {
        return accept(path, search.tools).await;
    }
    let refused = match find(search).await {
        Ok(uv) => return Ok(uv),
        Err(refused) => refused,
    };
    installing();
    let installed = install::with_pip(search.tools, search.host, &requirement(), refused).await?;
    accept(&installed, search.tools).await
}

/// The same without the installation: what was found and does not serve, when none does.
pub async fn find(search: &UvSearch<'_>) -> Result<Uv, Vec<UvError>> {
    if let Some(path) = search.explicit {
        return accept(path, search.tools).await.map_err(|error| vec![error]);
    }
    let mut refused = Vec::new();
    for candidate in candidates(search) {
        match accept(&candidate, search.tools).await {
            Ok(uv) => return Ok(uv),
            Err(problem) => refused.push(problem),
        }
    }
    Err(refused)
}

/// What to ask pip for.
fn requirement() -> String {
    format!("uv>={OLDEST},<{TOO_NEW}")
}

fn candidates(search: &UvSearch<'_>) -> Vec<PathBuf> {
    let beside = search.beside.map(Path::to_owned);
    let installed = install::folder(search.tools).join("bin");
    let folders = beside.into_iter().chain(search.host.path()).chain([installed]);
    folders.map(|folder| folder.join("uv")).filter(|path| path.is_file()).collect()
}

async fn accept(path: &Path, tools: &Path) -> Result<Uv, UvError> {
    let capabilities = Capabilities::of(path, &tools.join("uv.json")).await?;
    let bound = |text: &str| text.parse::<Version>().expect("a version literal");
    if capabilities.version < bound(OLDEST) || capabilities.version >= bound(TOO_NEW) {
        return Err(UvError::Unsupported {
            program: path.to_owned(),
            version: capabilities.version,
            supported: requirement(),
        });
    }
    Ok(Uv { executable: path.to_owned(), capabilities })
}
