//! How what runs in an image is isolated.

use clap::{Args, ValueEnum};
use imagewright_sandbox::Mode;

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct SandboxArguments {
    /// How what runs in the image is isolated from this machine; `doctor` says what works here.
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    sandbox: SandboxChoice,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum SandboxChoice {
    /// The first of the others that works.
    #[default]
    Auto,
    /// As root, with namespaces.
    Root,
    /// In a user namespace with the ids of `/etc/subuid`.
    SubordinateIds,
    /// In a user namespace with one id: owners that a program gives to files can be lost.
    SingleId,
    /// As root without namespaces, in a copy of the image.
    Chroot,
}

impl SandboxArguments {
    /// The mode that was asked for.
    pub(crate) fn mode(self) -> Option<Mode> {
        Some(match self.sandbox {
            SandboxChoice::Auto => return None,
            SandboxChoice::Root => Mode::Root,
            SandboxChoice::SubordinateIds => Mode::SubordinateIds,
            SandboxChoice::SingleId => Mode::SingleId,
            SandboxChoice::Chroot => Mode::Chroot,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_the_names_that_doctor_prints() {
        for choice in SandboxChoice::value_variants() {
            let name = choice.to_possible_value().unwrap().get_name().to_owned();
            let expected = SandboxArguments { sandbox: *choice }.mode().map_or("auto", Mode::name);
            assert_eq!(name, expected);
        }
        assert_eq!(SandboxChoice::value_variants().len(), Mode::ALL.len() + 1);
    }
}
