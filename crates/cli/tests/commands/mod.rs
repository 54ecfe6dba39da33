//! Commands, each against a registry and a package index in the test's own process.

mod arguments;
mod cache;
mod configuration;
mod doctor;
mod failures;
mod flytekit_entities;
mod lock;
mod plan;
mod python_files;
mod requests;
mod sandbox;
