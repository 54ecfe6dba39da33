//! The files of an image, as far as two images are compared: its layers, read and laid upon each other.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use imagewright_layer::{LayerEntry, LayerEntryKind, LayerError, read_layer};
use imagewright_oci::{Descriptor, Digest, HashingReader};

use crate::BuildError;
use crate::blocking::blocking;
use crate::found::FoundImage;
use crate::native::Machine;

/// What layers have, so that one that two images share is read once.
#[derive(Clone, Debug, Default)]
pub struct LayerListings(BTreeMap<Digest, Arc<Vec<Listed>>>);

/// One entry of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    path: String,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// A directory, with its description.
    Directory(String),
    /// Anything else that is there.
    Other(String),
    /// Another name of a file.
    Hardlink(String),
    Whiteout,
    Opaque,
}

impl Machine {
    /// The files of an image in words, by their paths: permissions, owner, and what they hold. Times do not count.
    pub async fn files(
        &self,
        image: &FoundImage,
        listings: &mut LayerListings,
    ) -> Result<BTreeMap<String, String>, BuildError> {
        let mut tree = BTreeMap::new();
        for layer in &image.manifest.layers {
            let listing = match listings.0.get(&layer.digest) {
                Some(listing) => Arc::clone(listing),
                None => Arc::new(self.listing(image, layer).await?),
            };
            lay(&mut tree, &listing);
            listings.0.insert(layer.digest, listing);
        }
        Ok(tree)
    }

    async fn listing(&self, image: &FoundImage, layer: &Descriptor) -> Result<Vec<Listed>, BuildError> {
        let blob = self.layer_bytes(&image.repositories_with(layer), layer).await?;
        let media_type = layer.media_type.to_oci();
        blocking(move || {
            let mut listing = Vec::new();
            read_layer(blob, &media_type, |entry, content| {
                let failed = |source| LayerError::Archive { media_type: media_type.clone(), source };
                let what = what(entry, content).map_err(failed)?;
                listing.push(Listed { path: entry.path.to_string_lossy().into_owned(), what });
                Ok::<(), LayerError>(())
            })?;
            Ok(listing)
        })
        .await
    }
}

fn what(entry: &LayerEntry, content: &mut dyn Read) -> io::Result<What> {
    let LayerEntry { kind, mode, uid, gid, xattrs, .. } = entry;
    let attributes = xattrs.iter().map(|(name, value)| format!(", {name}={:.12}", Digest::of(value).hex()));
    let owned = format!("{mode:04o} {uid}:{gid}{}", attributes.collect::<String>());
    Ok(match kind {
        LayerEntryKind::Directory => What::Directory(format!("{owned} directory")),
        LayerEntryKind::File { .. } => {
            let mut content = HashingReader::new(content);
            io::copy(&mut content, &mut io::sink())?;
            let (digest, size) = content.finish();
            What::Other(format!("{owned} {size} bytes {:.12}", digest.hex()))
        }
        LayerEntryKind::Symlink { target } => What::Other(format!("-> {}", target.display())),
        LayerEntryKind::Hardlink { target } => What::Hardlink(target.to_string_lossy().into_owned()),
        LayerEntryKind::Fifo => What::Other(format!("{owned} pipe")),
        LayerEntryKind::CharacterDevice { major, minor } => {
            What::Other(format!("{owned} character device {major}:{minor}"))
        }
        LayerEntryKind::BlockDevice { major, minor } => {
            What::Other(format!("{owned} block device {major}:{minor}"))
        }
        LayerEntryKind::Whiteout => What::Whiteout,
        LayerEntryKind::Opaque => What::Opaque,
    })
}

/// Lays a layer upon those below. What it hides is hidden first: that is about the layers below, wherever it is written.
fn lay(tree: &mut BTreeMap<String, String>, layer: &[Listed]) {
    for Listed { path, what } in layer {
        if matches!(what, What::Whiteout | What::Opaque) {
            remove_below(tree, path);
        }
        if *what == What::Whiteout {
            tree.remove(path);
        }
    }
    for Listed { path, what } in layer {
        let text = match what {
            What::Directory(text) => text.clone(),
            What::Other(text) => {
                remove_below(tree, path);
                text.clone()
            }
            What::Hardlink(target) => match tree.get(target) {
                Some(text) => text.clone(),
                None => format!("another name of {target}"),
            },
            What::Whiteout | What::Opaque => continue,
        };
        tree.insert(path.clone(), text);
    }
    // The root itself, which some archives have and others do not.
    tree.remove("");
}

fn remove_below(tree: &mut BTreeMap<String, String>, directory: &str) {
    // The character behind the slash ends the range of what is below.
    let (from, to) = (format!("{directory}/"), format!("{directory}0"));
    let is_root = directory.is_empty();
    let below: Vec<String> = if is_root {
        tree.keys().cloned().collect()
    } else {
        tree.range(from..to).map(|(path, _)| path.clone()).collect()
    };
    for path in below {
        tree.remove(&path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(layers: &[&[(&str, What)]]) -> String {
        let mut tree = BTreeMap::new();
        for layer in layers {
            let listing: Vec<Listed> = layer
                .iter()
                .map(|(path, what)| Listed { path: (*path).to_owned(), what: what.clone() })
                .collect();
            lay(&mut tree, &listing);
        }
        tree.iter().map(|(path, text)| format!("{path}={text}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_upper_layer_has_the_last_word() {
        let directory = || What::Directory("d".to_owned());
        let file = |text: &str| What::Other(text.to_owned());
        let below: &[(&str, What)] = &[
            ("", directory()),
            ("a", directory()),
            ("a/b", file("1")),
            ("a/c", file("2")),
            ("a0", file("3")),
        ];
        let over = |layer: &[(&str, What)]| laid(&[below, layer]);
        assert_eq!(over(&[]), "a=d a/b=1 a/c=2 a0=3");
        assert_eq!(over(&[("a/b", file("4"))]), "a=d a/b=4 a/c=2 a0=3");
        assert_eq!(over(&[("a/b", What::Whiteout)]), "a=d a/c=2 a0=3");
        assert_eq!(over(&[("a", What::Whiteout)]), "a0=3");
        assert_eq!(over(&[("a", file("now a file"))]), "a=now a file a0=3");
        assert_eq!(over(&[("a", What::Directory("e".to_owned()))]), "a=e a/b=1 a/c=2 a0=3");
        // What an opaque directory has of this layer stays, also what was written before the mark.
        assert_eq!(over(&[("a/new", file("5")), ("a", What::Opaque)]), "a=d a/new=5 a0=3");
        assert_eq!(over(&[("a/link", What::Hardlink("a/b".to_owned()))]), "a=d a/b=1 a/c=2 a/link=1 a0=3");
        assert_eq!(over(&[("", What::Opaque), ("x", file("6"))]), "x=6");
    }
}
