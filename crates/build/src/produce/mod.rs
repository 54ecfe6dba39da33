//! Makes the layers that the store does not have: one file for each kind of content.

mod compiler;
mod copied;
mod debian;
mod interpreter;
mod wheels;

use std::num::NonZeroUsize;

pub use copied::CopyError;
pub(crate) use copied::Places;
use imagewright_debian::Mirrors;
use imagewright_layer::{EncodeOptions, EntryPath, TreeEntry, TreePath, encode_tree};
use imagewright_lock::facts::Installed;
use imagewright_lock::{Downloads, PythonMirror};
use imagewright_oci::MediaType;
use imagewright_plan::{Content, LayerDefinition, TreeFile, TreeKind};
use imagewright_store::{LayerFacts, LayerRecord, Store};
use serde::Deserialize as _;

use crate::BuildError;
use crate::blocking::blocking;
use crate::event::{Reporter, Stage};
use crate::lookup::{OnShelf, Shelves};
use crate::workplace::Workplace;
use imagewright_lock::lease;

/// What making layers needs.
#[derive(Clone, Debug)]
pub(crate) struct Producer {
    pub(crate) shelves: Shelves,
    pub(crate) store: Store,
    pub(crate) downloads: Downloads,
    pub(crate) mirrors: Mirrors,
    pub(crate) python_mirror: PythonMirror,
    pub(crate) threads: NonZeroUsize,
    pub(crate) epoch: u64,
    pub(crate) reporter: Reporter,
    /// Where the user's files are.
    pub(crate) places: Places,
    /// What other builds on this machine do at the same time.
    pub(crate) workplace: Workplace,
    /// Whether layers are made again that are there.
    pub(crate) no_cache: bool,
}

/// A layer, and whether it was made now.
#[derive(Clone, Debug)]
pub(crate) struct Obtained {
    pub(crate) record: LayerRecord,
    /// The distributions in it.
    pub(crate) installed: Vec<Installed>,
    pub(crate) was_made: bool,
}

impl Producer {
    /// The layer of a definition: from the store, from another process that is making it, else made here.
    /// `make` is how.
    pub(crate) async fn obtain(
        &self,
        definition: &LayerDefinition,
        make: impl Future<Output = Result<LayerRecord, BuildError>>,
    ) -> Result<Obtained, BuildError> {
        if let Some(kept) = self.kept(definition).await? {
            return Ok(kept);
        }
        let _lease = lease(&self.store, definition.key.0).await?;
        if let Some(kept) = self.kept(definition).await? {
            return Ok(kept);
        }
        let before = self.store.layer_by_key(&definition.key)?;
        self.reporter.started(Stage::Produce, &definition.title);
        let record = make.await?;
        self.workplace.made.note(definition.key.0);
        let is_same_input = |before: &LayerRecord| before.key == record.key;
        if let Some(before) = before.filter(is_same_input).filter(|before| before.digest != record.digest) {
            let hint = match definition.execution() {
                Some(_) => "what runs in the image need not write the same every time",
                None => "the same inputs should make the same layer: please report it",
            };
            self.reporter.warn(
                format!("{} was {} before, and is {} now", definition.title, before.digest, record.digest),
                Some(hint.to_owned()),
            );
        }
        let installed = Vec::deserialize(&record.facts.details).expect("they were written just now");
        Ok(Obtained { record, installed, was_made: true })
    }

    /// The layer that is there already, unless every layer is to be made, and nobody here has made this one yet.
    pub(crate) async fn kept(&self, definition: &LayerDefinition) -> Result<Option<Obtained>, BuildError> {
        if self.no_cache && !self.workplace.made.has(&definition.key.0) {
            return Ok(None);
        }
        let found = self.shelves.find_for(definition).await?.ok();
        Ok(found.map(|OnShelf { record, installed, .. }| Obtained { record, installed, was_made: false }))
    }

    /// Makes a layer that no command makes.
    pub(crate) async fn make(&self, definition: &LayerDefinition) -> Result<LayerRecord, BuildError> {
        match &definition.content {
            Content::Tree(files) => self.tree(definition, files.clone()).await,
            Content::Wheels(group) => self.wheels(definition, group).await,
            Content::Interpreter(group) => self.interpreter(definition, group).await,
            Content::Debian(group) => self.debian(definition, group).await,
            Content::DebianDatabase(packages) => self.debian_database(definition, packages).await,
            Content::Execution(_) => unreachable!("the executor makes these"),
        }
    }

    async fn tree(
        &self,
        definition: &LayerDefinition,
        files: Vec<TreeFile>,
    ) -> Result<LayerRecord, BuildError> {
        let (producer, definition) = (self.clone(), definition.clone());
        blocking(move || {
            let entry = |file| tree_entry(file, &producer.places);
            let entries = files.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?;
            producer.commit_tree(&definition, entries).map_err(|error| match error {
                BuildError::Layer(error) => CopyError::of(error),
                other => other,
            })
        })
        .await
    }

    pub(crate) fn commit_tree<P: EntryPath>(
        &self,
        definition: &LayerDefinition,
        entries: Vec<TreeEntry<P>>,
    ) -> Result<LayerRecord, BuildError> {
        let mut staging = self.store.begin_layer()?;
        let layer = encode_tree(entries, &self.options(), &mut staging)?;
        Ok(staging.commit(&definition.key, &layer, &layer_facts(definition, &[]))?)
    }

    fn options(&self) -> EncodeOptions {
        EncodeOptions { epoch: self.epoch, threads: self.threads }
    }
}

/// What a layer says about itself: the distributions in it, so that the facts of the image need no look inside.
fn layer_facts(definition: &LayerDefinition, installed: &[Installed]) -> LayerFacts {
    LayerFacts {
        media_type: MediaType::OciLayerGzip,
        kind: definition.kind.name().to_owned(),
        details: serde_json::to_value(installed).expect("distributions serialise"),
    }
}

fn tree_entry(file: TreeFile, places: &Places) -> Result<TreeEntry, BuildError> {
    let path = TreePath::new(&file.path)?;
    let owner = |id: u64| u32::try_from(id).map_err(|_| BuildError::Owner { path: file.path.clone(), id });
    let (uid, gid) = (owner(file.uid)?, owner(file.gid)?);
    let entry = match file.kind {
        TreeKind::Directory => TreeEntry::directory(path, file.mode),
        TreeKind::File(content) => TreeEntry::file(path, file.mode, content),
        TreeKind::Copied { source, below, size, digest } => {
            TreeEntry::new(path, places.file(&source, &below, size, digest), file.mode)
        }
        TreeKind::Symlink(target) => TreeEntry::symlink(path, &target),
        TreeKind::Whiteout => TreeEntry::whiteout(&path),
    };
    Ok(entry.owned_by(uid, gid))
}
