//! Debian's archive as a user meets it: real indexes, real packages, and what happens when they are altered.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests say what they skip and measure")]

mod base;
mod compiler;
mod golden;
mod network;
mod oracle;
mod resolve;
mod tamper;
mod unpacked;
