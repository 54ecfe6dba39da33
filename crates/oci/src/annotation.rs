use std::collections::BTreeMap;

/// Annotations of a manifest or descriptor, and labels of a configuration: sorted, so that bytes are stable.
pub type Annotations = BTreeMap<String, String>;
