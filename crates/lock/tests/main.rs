//! The resolvers against real programs and local indexes.

#![cfg(test)]

mod debian;
mod downloads;
mod facts;
mod python;
