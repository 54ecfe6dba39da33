//! `python::resolve` with a real uv, against an index made for the test and against the machine's own; and downloads of wheels.

mod answers;
mod downloads;
mod failures;
mod index;
mod locating;
mod machine;
mod network;
mod precedence;
mod properties;
mod secrets;
mod wheel;
