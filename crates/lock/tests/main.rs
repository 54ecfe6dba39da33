//! The resolvers against real programs and local indexes.

#![cfg(test)]

mod python;
