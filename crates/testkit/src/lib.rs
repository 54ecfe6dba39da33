//! What tests stand on: a registry and a package index in the test's own process, which fail on demand; wheels made
//! on the spot; the judge of the images that come out; and what tests are told of the machine.
//!
//! ```
//! use imagewright_testkit::index::TestIndex;
//! use imagewright_testkit::registry::{Effect, Fault, TestRegistry};
//! use imagewright_testkit::wheel::WheelBuilder;
//!
//! let registry = TestRegistry::start();
//! registry.inject(Fault::on("PUT", "/blobs/uploads/", Effect::DropAfter).times(1));
//! assert!(registry.host().starts_with("127.0.0.1:"));
//!
//! let index = TestIndex::start();
//! index.add(&WheelBuilder::new("demo", "1.0").file("demo.py", "x = 1\n"));
//! assert!(index.url().ends_with("/simple"));
//! ```

mod server;
mod tarball;

pub mod archive;
pub mod image;
pub mod index;
pub mod peers;
pub mod registry;
pub mod wheel;

pub mod validate;

pub use tarball::tarball;
