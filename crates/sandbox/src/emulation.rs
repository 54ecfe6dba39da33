//! Programs for other processors: whether the kernel hands them to an emulator (`binfmt_misc`, as qemu-user registers
//! itself).

use std::io;
use std::path::{Path, PathBuf};

use imagewright_oci::Platform;
use thiserror::Error;

/// Where the kernel tells what is registered.
const REGISTERED: &str = "/proc/sys/fs/binfmt_misc";

/// What executes programs of a platform here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Processor {
    /// This machine's.
    Own,
    /// That of an emulator.
    Emulated {
        /// The program that the kernel starts, by its path on this machine.
        emulator: PathBuf,
    },
}

/// Why programs of a platform cannot be executed in a root file system.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoEmulator {
    /// The kernel does not tell what is registered with it.
    #[error("the kernel has no binfmt_misc mounted at {REGISTERED}")]
    NoBinfmt,
    /// Nothing is registered for the platform.
    #[error("no emulator is registered with the kernel")]
    NoneRegistered,
    /// One is, and is turned off.
    #[error("its emulator {} is disabled", emulator.display())]
    Disabled {
        /// The emulator.
        emulator: PathBuf,
    },
    /// One is, and only this machine's own file system has it.
    #[error("its emulator {} is registered without the flag F, so no other root file system has it", emulator.display())]
    NotFixed {
        /// The emulator.
        emulator: PathBuf,
    },
}

/// What executes programs of `platform` in a root file system of this machine.
pub fn executed_by(platform: &Platform) -> Result<Processor, NoEmulator> {
    if Platform::of_this_machine().accepts(platform) {
        return Ok(Processor::Own);
    }
    emulator(Path::new(REGISTERED), platform).map(|emulator| Processor::Emulated { emulator })
}

/// A handler that the kernel knows, in the words of its file.
#[derive(Debug, Default)]
struct Handler {
    is_enabled: bool,
    interpreter: PathBuf,
    flags: String,
    offset: usize,
    magic: Vec<u8>,
    mask: Vec<u8>,
}

fn emulator(registered: &Path, platform: &Platform) -> Result<PathBuf, NoEmulator> {
    let handlers = handlers(registered).map_err(|_| NoEmulator::NoBinfmt)?;
    let mut unusable = NoEmulator::NoneRegistered;
    let headers = headers(platform);
    for handler in handlers {
        if headers.is_empty() || !headers.iter().all(|header| handler.takes(header)) {
            continue;
        }
        let emulator = handler.interpreter;
        if !handler.is_enabled {
            unusable = NoEmulator::Disabled { emulator };
        } else if handler.flags.contains('F') {
            return Ok(emulator);
        } else {
            unusable = NoEmulator::NotFixed { emulator };
        }
    }
    Err(unusable)
}

fn handlers(registered: &Path) -> io::Result<Vec<Handler>> {
    let is_on = fs_err::read_to_string(registered.join("status"))?.trim() == "enabled";
    let mut paths = fs_err::read_dir(registered)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    let mut handlers = Vec::new();
    for path in paths.iter().filter(|path| !path.ends_with("status") && !path.ends_with("register")) {
        // One that is gone by now is none.
        if let Ok(text) = fs_err::read_to_string(path) {
            let handler = Handler::parse(&text);
            handlers.push(Handler { is_enabled: handler.is_enabled && is_on, ..handler });
        }
    }
    Ok(handlers)
}

impl Handler {
    fn parse(text: &str) -> Self {
        let mut handler = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                None => handler.is_enabled |= line == "enabled",
                Some(("interpreter", path)) => handler.interpreter = path.into(),
                Some(("flags:", flags)) => flags.clone_into(&mut handler.flags),
                Some(("offset", offset)) => handler.offset = offset.parse().unwrap_or(usize::MAX),
                Some(("magic", hex)) => handler.magic = bytes(hex),
                Some(("mask", hex)) => handler.mask = bytes(hex),
                // One of a later kernel.
                Some(_) => {}
            }
        }
        handler
    }

    /// Whether it is for a file that begins with `header`. A handler for an extension is for no program.
    fn takes(&self, header: &[u8]) -> bool {
        let there = header.iter().skip(self.offset);
        let masks = self.mask.iter().copied().chain(std::iter::repeat(u8::MAX));
        let is_long_enough = self.offset.saturating_add(self.magic.len()) <= header.len();
        let mut compared = there.zip(&self.magic).zip(masks);
        !self.magic.is_empty()
            && is_long_enough
            && compared.all(|((byte, magic), mask)| byte & mask == magic & mask)
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map_while(pair).collect()
}

/// How programs of the platform begin: at a fixed address, and anywhere. None for one whose programs are not known.
fn headers(platform: &Platform) -> Vec<[u8; 20]> {
    const LITTLE: u8 = 1;
    const BIG: u8 = 2;
    // Class (32 or 64 bits), byte order, and `e_machine`.
    let (class, order, machine) = match platform.architecture.as_str() {
        "amd64" => (2, LITTLE, 62_u16),
        "386" => (1, LITTLE, 3),
        "arm64" => (2, LITTLE, 183),
        "arm" => (1, LITTLE, 40),
        "ppc64le" => (2, LITTLE, 21),
        "s390x" => (2, BIG, 22),
        "riscv64" => (2, LITTLE, 243),
        _ => return Vec::new(),
    };
    let word = |value: u16| if order == BIG { value.to_be_bytes() } else { value.to_le_bytes() };
    let header = |kind: u16| {
        let mut header = [0; 20];
        header[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, order, 1]);
        header[16..18].copy_from_slice(&word(kind));
        header[18..].copy_from_slice(&word(machine));
        header
    };
    [2, 3].map(header).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: &str = "7f454c460201010000000000000000000200b700";
    const MASK: &str = "ffffffffffffff00fffffffffffffffffeffffff";

    fn asked(entries: &[(&str, String)], architecture: &str) -> Result<PathBuf, NoEmulator> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in entries {
            fs_err::write(folder.path().join(name), text).unwrap();
        }
        emulator(folder.path(), &Platform::new("linux", architecture))
    }

    fn entry(state: &str, flags: &str) -> String {
        format!("{state}\ninterpreter /qemu\nflags: {flags}\noffset 0\nmagic {MAGIC}\nmask {MASK}\n")
    }

    #[test]
    fn an_emulator_is_known_by_what_it_takes() {
        let on = ("status", "enabled\n".to_owned());
        let with = |state, flags| [on.clone(), ("any-name", entry(state, flags))];
        let qemu = || PathBuf::from("/qemu");
        assert_eq!(asked(&with("enabled", "POCF"), "arm64"), Ok(qemu()));
        assert_eq!(asked(&with("enabled", "F"), "s390x"), Err(NoEmulator::NoneRegistered));
        assert_eq!(asked(&with("enabled", "F"), "mips"), Err(NoEmulator::NoneRegistered));
        assert_eq!(asked(&with("enabled", ""), "arm64"), Err(NoEmulator::NotFixed { emulator: qemu() }));
        assert_eq!(asked(&with("disabled", "F"), "arm64"), Err(NoEmulator::Disabled { emulator: qemu() }));
        let off = [("status", "disabled\n".to_owned()), ("x", entry("enabled", "F"))];
        assert_eq!(asked(&off, "arm64"), Err(NoEmulator::Disabled { emulator: qemu() }));
        assert_eq!(asked(&[], "arm64"), Err(NoEmulator::NoBinfmt));
        let python =
            [on, ("python", "enabled\ninterpreter /cli\nflags: \noffset 0\nmagic cb0d0d0a\n".to_owned())];
        assert_eq!(asked(&python, "arm64"), Err(NoEmulator::NoneRegistered));
    }

    #[test]
    fn this_machine_needs_none() {
        assert_eq!(executed_by(&Platform::of_this_machine()), Ok(Processor::Own));
    }
}
