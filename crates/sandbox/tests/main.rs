//! The sandbox as its callers meet it: root, a user with subordinate ids, and a user without newuidmap.
//!
//! Everything is done by the example program `caller`, because namespaces need a process without threads, and
//! because an unprivileged caller is another process anyway.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod caller;
mod image;
mod layers;
mod lifetime;
mod modes;
mod run;
mod series;
mod step;
