//! Running a command in the root file system of an image, without a daemon and, where the kernel allows it,
//! without privileges.
//!
//! Layers are unpacked once, each into a directory of its own ([`Sandbox::unpack`]); a run mounts them as one
//! overlay with a fresh writable directory on top, enters it and starts the command ([`Sandbox::run`]). A step
//! ([`Sandbox::step`]) is a run whose changes become a layer. How this is done depends on what the machine permits:
//! see [`Mode`].
//!
//! ```no_run
//! # use imagewright_layer::{EncodeOptions, encode_tree};
//! # use imagewright_sandbox::{RunRequest, Sandbox};
//! # fn step(request: RunRequest, options: &EncodeOptions) -> Result<(), Box<dyn std::error::Error>> {
//! let sandbox = Sandbox::first("/proc/self/exe".as_ref(), &request.scratch)?;
//! let outcome = sandbox.step(request, |line| eprintln!("{line}"))?;
//! if outcome.exit.success() {
//!     encode_tree(outcome.changes.entries, options, &mut Vec::new())?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Namespaces cannot be made by a process with threads, so the work is done by the program itself, started again
//! with the hidden argument [`HELPER_ARGUMENT`]. A program that uses this crate begins with
//!
//! ```no_run
//! # use std::process::ExitCode;
//! fn main() -> ExitCode {
//!     let mut arguments = std::env::args().skip(1);
//!     if arguments.next().as_deref() == Some(imagewright_sandbox::HELPER_ARGUMENT) {
//!         return ExitCode::from(imagewright_sandbox::helper_main(&arguments.next().unwrap_or_default()));
//!     }
//!     ExitCode::SUCCESS
//! }
//! ```
//!
//! Three processes stand between the caller and the command. *outer* makes the user and process namespaces, waits
//! and removes the writable directory afterwards; *init* is process 1 of the new process namespace, reaps, passes
//! signals on and ends the run when the caller is gone; *enter* mounts, drops privileges and becomes the command.
//!
//! Invariants: nothing of the image is executed before it has been entered; no path of the image is followed
//! outside of it; when the command ends, however it ends, no process and no mount of it is left.

mod change;
mod channel;
mod command;
mod emulation;
mod error;
mod exit;
mod id_map;
mod inside;
mod launch;
mod mode;
mod sandbox;
mod secret;
mod signals;
mod step;
mod task;
mod unpack;

pub use command::{Bind, Network, RunRequest};

pub use emulation::{NoEmulator, Processor, executed_by};
pub use error::SandboxError;
pub use exit::Exit;
pub use inside::{HELPER_ARGUMENT, OUTERMOST, helper_main};
pub use launch::Running;
pub use mode::{Mode, ModeReport};
pub use sandbox::Sandbox;
pub use secret::SecretFile;
pub use step::{Changes, LostOwner, RunningStep, StepOutcome, Stopper};
pub use unpack::{Layer, Unpacked};
