use std::fmt;

/// What a wheel runs on: one interpreter, one ABI and one platform, such as `cp311-abi3-manylinux_2_28_x86_64`.
///
/// Follows the platform compatibility tags specification (PEP 425).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// `py3`, `cp311`, ...
    pub interpreter: String,
    /// `none`, `abi3`, `cp311`, ...
    pub abi: String,
    /// `any`, `manylinux_2_28_x86_64`, ...
    pub platform: String,
}

impl Tag {
    /// A tag from its three parts, lower-cased.
    pub fn new(interpreter: &str, abi: &str, platform: &str) -> Self {
        Self {
            interpreter: interpreter.to_ascii_lowercase(),
            abi: abi.to_ascii_lowercase(),
            platform: platform.to_ascii_lowercase(),
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.interpreter, self.abi, self.platform)
    }
}
