use url::Url;

use super::explain::{Failure, classify};
use super::log::Said;
use super::pylock::Pylock;
use super::resolve::Question;
use super::stub_wheel::stub_wheel;
use super::{PythonError, PythonRequest};
use crate::uv::Uv;

/// What is asked for in the place of what would have to be built first; nothing has this name.
const STAND_IN: &str = "imagewright-stand-in";

/// Whether a marker holds for the target. uv says so, which reads all others: by taking what has the marker, or not.
pub(crate) async fn holds(uv: &Uv, request: &PythonRequest<'_>, marker: &str) -> Result<bool, PythonError> {
    let question = Question::of(uv, request)?;
    let (file, bytes) = stub_wheel(STAND_IN, "0");
    let path = request.scratch.join(file);
    let url = Url::from_file_path(&path).expect("the store's folders have absolute paths");
    fs_err::write(&path, bytes).map_err(|source| PythonError::File { path, source })?;
    let line = format!("{STAND_IN} @ {url} ; {marker}\n");
    let finished = question.ask(&line, &["--no-deps"]).await?;
    if !finished.status.success() {
        let explanation = Said::parse(&request.asked.indexes.redact(&finished.stderr)).explanation;
        // What is wrong with a marker is told of the requirement itself.
        let is_no_marker = matches!(classify(&explanation), Failure::Malformed);
        return if is_no_marker { Ok(true) } else { Err(question.failure(&explanation).await) };
    }
    let pylock: Pylock = toml::from_str(&finished.stdout)
        .map_err(|error| PythonError::Answer { explanation: error.message().to_owned() })?;
    Ok(!pylock.packages.is_empty())
}
