//! The store as its users see it: real files, real processes, real damage.

#![cfg(test)]

mod damage;
mod fixture;
mod formats;
mod keeping;
mod mounted;
mod processes;
mod pruning;
mod speed;
