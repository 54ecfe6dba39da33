//! What `run` and `inspect` are about: a spec, or an image by its name.

use std::path::Path;

use clap::Args;
use imagewright_oci::{ImageReference, Platform};
use imagewright_spec::ImageSpec;

use crate::arguments::{OverrideArguments, SpecArguments};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::spec_request::{self, STDIN, SpecRequest};

/// An image, and what the command line puts in the place of what its spec says.
#[derive(Debug, Args)]
pub(crate) struct SubjectArguments {
    /// A spec (a file, or any name that ends in .yaml, .yml or .json, or `-` for standard input), else the name of an image such as
    /// `python:3.11-slim` or `localhost:5000/app:1`.
    #[arg(value_name = "SPEC|IMAGE", required = true)]
    image: Option<String>,
    /// Instead of the spec's `registry`.
    #[arg(long)]
    registry: Option<String>,
    /// Instead of the spec's `name`.
    #[arg(long)]
    name: Option<String>,
    /// Instead of the spec's `platform`; of a named image, instead of this machine's.
    #[arg(long)]
    platform: Option<String>,
}

#[derive(Debug)]
pub(crate) enum Subject {
    Spec {
        asked: Box<SpecRequest>,
    },
    /// `name` is the reference as it was written.
    Image {
        name: String,
        reference: ImageReference,
        platform: Platform,
    },
}

impl SubjectArguments {
    /// Without anything that the command line puts in the place of what a spec says.
    pub(crate) fn of(image: &str) -> Self {
        Self { image: Some(image.to_owned()), registry: None, name: None, platform: None }
    }

    /// The same, where a command can do without.
    pub(crate) fn subject_if_any(&self, environment: &Environment) -> Result<Option<Subject>, Failure> {
        self.image.is_some().then(|| self.subject(environment)).transpose()
    }

    /// What is named; a command that can do without says so to clap.
    pub(crate) fn subject(&self, environment: &Environment) -> Result<Subject, Failure> {
        let image = self.image.as_deref().expect("clap requires it");
        let path = Path::new(image);
        let is_spec = |end: &std::ffi::OsStr| end == "yaml" || end == "yml" || end == "json" || end == "py";
        if path.extension().is_some_and(is_spec) || image.contains(".py:") || image == STDIN || path.is_file()
        {
            let (registry, name, platform) =
                (self.registry.clone(), self.name.clone(), self.platform.clone());
            let overrides = OverrideArguments { registry, name, platform, builder: None };
            let arguments = SpecArguments { specs: vec![path.to_owned()], all: None, overrides };
            let asked = Box::new(spec_request::read(environment, &arguments)?);
            return Ok(Subject::Spec { asked });
        }
        if self.registry.is_some() || self.name.is_some() {
            return Err(Failure::Arguments {
                message: format!("`{image}` is no file, so `--registry` and `--name` are about nothing"),
                hint: Some("name a spec, or write registry and name into the image's name".to_owned()),
            });
        }
        let wrong = |error: &dyn std::fmt::Display| Failure::Arguments {
            message: error.to_string(),
            hint: Some("name a spec that exists, or an image".to_owned()),
        };
        let reference = image.parse().map_err(|error| wrong(&error))?;
        let platform = match &self.platform {
            Some(text) => text.parse().map_err(|error| wrong(&error))?,
            None => Platform::of_this_machine(),
        };
        Ok(Subject::Image { name: image.to_owned(), reference, platform })
    }
}

impl Subject {
    /// The spec, if it is one.
    pub(crate) fn spec(&self) -> Option<&ImageSpec> {
        match self {
            Self::Spec { asked, .. } => Some(&asked.spec),
            Self::Image { .. } => None,
        }
    }
}
