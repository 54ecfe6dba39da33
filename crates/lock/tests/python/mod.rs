//! `python::resolve` with a real uv, against an index made for the test and against the machine's own.

mod answers;
mod archives;
mod failures;
mod index;
mod locating;
pub(crate) mod machine;
mod network;
mod poetry;
mod precedence;
mod projects;
mod properties;
mod secrets;
mod wheel;
