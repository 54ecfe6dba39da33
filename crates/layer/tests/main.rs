//! Layers as others see them: gzip, tar, Python, pip, and hostile wheels.

#![cfg(test)]

mod golden;
mod oracle;
mod peers;
mod read;
mod splice;
mod support;
mod tree;
mod wheel;
mod zip;
