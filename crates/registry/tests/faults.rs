//! What the tests of faults share.

use std::time::Duration;

use imagewright_oci::{Descriptor, ImageReference, MediaType};
use imagewright_registry::{Client, ClientOptions, Retry, Timeouts};
use imagewright_testkit::registry::TestRegistry;

use crate::blobs::Memory;

/// Options that do not make a test wait.
pub(crate) fn hasty() -> ClientOptions {
    ClientOptions {
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(2),
            idle: Duration::from_millis(500),
            commit: Duration::from_millis(1500),
        },
        retry: Retry {
            repetitions: 3,
            first_wait: Duration::from_millis(5),
            longest_wait: Duration::from_secs(3),
        },
        ..ClientOptions::default()
    }
}

pub(crate) fn client() -> Client {
    Client::new(hasty())
}

pub(crate) fn reference(registry: &TestRegistry, rest: &str) -> ImageReference {
    format!("{}/{rest}", registry.host()).parse().unwrap()
}

pub(crate) fn descriptor(blob: &Memory) -> Descriptor {
    Descriptor::of(MediaType::OciLayerGzip, &blob.0)
}

/// The methods of the requests so far, in order.
pub(crate) fn methods(registry: &TestRegistry) -> String {
    registry.requests().iter().map(|request| request.method.clone()).collect::<Vec<_>>().join(" ")
}
