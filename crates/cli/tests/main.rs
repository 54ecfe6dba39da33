//! The command as its users meet it: a process with a store of its own, and real peers around it.

#![cfg(test)]

mod commands;
mod e2e;
mod inspect;
mod interpreter;
mod python;
mod run;
mod steps;
mod support;
mod traces;
mod user;
