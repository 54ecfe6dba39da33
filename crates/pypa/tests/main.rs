//! The vocabulary beside the `packaging` library, the reference implementation of its specifications.

#![cfg(test)]

mod oracle;
mod properties;
