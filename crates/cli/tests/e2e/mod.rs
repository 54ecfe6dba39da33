//! What the first part of the project promises, line by line.

mod answers;
mod apt;
mod asked;
mod attached;
mod bad_machine;
mod bad_packages;
mod bad_registry;
mod bases;
mod commands;
mod copies;
mod damaged;
mod docker;
mod engines;
mod execution;
mod golden;
mod incremental;
mod killed;
mod local_bases;
mod nested;
mod outputs;
mod pushed;
mod reproducible;
mod several;
mod specs;
mod together;
mod told;
