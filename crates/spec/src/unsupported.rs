use std::fmt;

use crate::{BuilderName, Field, ImageSpec, SpecError};

/// When the native builder will do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrives {
    /// With this part of the road map.
    Part(u8),
    /// It will not.
    Never,
}

/// Something that a spec can ask for and the native builder does not do.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// The field that asks for it.
    pub field: Field,
    /// What exactly, when it is not the whole field.
    pub what: Option<&'static str>,
    /// When it will.
    pub arrives: Arrives,
    asks: fn(&ImageSpec) -> bool,
}

/// What a certain spec asks for and does not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The field that asks for it.
    pub field: Field,
    /// What exactly, when it is not the whole field.
    pub what: Option<&'static str>,
    /// When it will be done.
    pub arrives: Arrives,
}

const fn pending(field: Field, part: u8, asks: fn(&ImageSpec) -> bool) -> Pending {
    Pending { field, what: None, arrives: Arrives::Part(part), asks }
}

const fn partly(field: Field, what: &'static str, part: u8, asks: fn(&ImageSpec) -> bool) -> Pending {
    Pending { field, what: Some(what), arrives: Arrives::Part(part), asks }
}

const fn never(field: Field, asks: fn(&ImageSpec) -> bool) -> Pending {
    Pending { field, what: None, arrives: Arrives::Never, asks }
}

/// All that the native builder does not do, in the order of the fields: the one table of it.
pub const PENDING: &[Pending] = &[
    partly(Field::Builder, "`envd` and `remote`", 6, |spec| {
        matches!(spec.builder, BuilderName::Envd | BuilderName::Remote)
    }),
    pending(Field::CondaPackages, 4, |spec| !spec.conda_packages.is_empty()),
    pending(Field::CondaChannels, 4, |spec| !spec.conda_channels.is_empty()),
    never(Field::Cuda, |spec| spec.cuda.is_some()),
    never(Field::Cudnn, |spec| spec.cudnn.is_some()),
];

impl ImageSpec {
    /// All that this spec asks for and the native builder does not do.
    pub fn unsupported(&self) -> Vec<Unsupported> {
        let asked = PENDING.iter().filter(|pending| (pending.asks)(self));
        asked.map(|&Pending { field, what, arrives, .. }| Unsupported { field, what, arrives }).collect()
    }

    /// An error if this spec asks for anything that the native builder does not do.
    pub fn check_supported(&self) -> Result<(), SpecError> {
        let unsupported = self.unsupported();
        if unsupported.is_empty() { Ok(()) } else { Err(SpecError::Unsupported { unsupported }) }
    }
}

impl Unsupported {
    /// What to do instead.
    pub fn hint(&self) -> Option<String> {
        let advice = "leave it out: GPU libraries from the package index bring CUDA with them; for other programs, \
                      use a `base_image` that has CUDA";
        matches!(self.field, Field::Cuda | Field::Cudnn).then(|| advice.to_owned())
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.field)?;
        let what = self.what.unwrap_or("this field");
        match self.arrives {
            Arrives::Part(part) => {
                write!(f, "the native builder does not do {what} yet; part {part} of the road map brings it")
            }
            Arrives::Never => write!(f, "the native builder, like flytekit's, does not take {what}"),
        }
    }
}
