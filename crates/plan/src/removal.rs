use std::collections::BTreeSet;

use imagewright_lock::facts::Installed;

use crate::definition::{Content, LayerDefinition, LayerKind, TreeFile};
use crate::planner::Scope;

/// Hides the files of distributions that the base's environment has and that others replace.
///
/// The metadata directory is hidden whole, so that no file that an installer added to it makes two versions look
/// installed.
pub(crate) fn removal_layer(scope: &Scope<'_>) -> Option<LayerDefinition> {
    let replaced: Vec<&Installed> = scope.replaced();
    if replaced.is_empty() {
        return None;
    }
    let paths: BTreeSet<String> = replaced.iter().flat_map(|installed| hidden_paths(installed)).collect();
    let files: Vec<TreeFile> = paths.iter().map(|path| TreeFile::whiteout(path)).collect();
    let names: Vec<String> =
        replaced.iter().map(|installed| format!("{} {}", installed.name, installed.version)).collect();
    let mut inputs = scope.common_inputs(imagewright_layer::TREE_FORMAT);
    inputs.extend(files.iter().map(|file| (format!("file {}", file.path), file.summary())));
    let title = format!("removes {}", names.join(", "));
    let because = names.iter().map(|name| format!("{name} of the base is replaced")).collect();
    Some(LayerDefinition::new(LayerKind::Removal, title, inputs, because, Content::Tree(files)))
}

fn hidden_paths(installed: &Installed) -> Vec<String> {
    let metadata = format!("{}/{}", installed.site, installed.metadata);
    installed.roots.iter().cloned().chain([metadata]).collect()
}
