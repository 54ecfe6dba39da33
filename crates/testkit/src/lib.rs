//! What tests stand on: a registry in the test's own process, which fails on demand.
//!
//! ```
//! use imagewright_testkit::registry::{Effect, Fault, TestRegistry};
//!
//! let registry = TestRegistry::start();
//! registry.inject(Fault::on("PUT", "/blobs/uploads/", Effect::DropAfter).times(1));
//! assert!(registry.host().starts_with("127.0.0.1:"));
//! ```

pub mod registry;
