//! What executes: one step in the sandbox, over the image as far as it is made.

pub(crate) mod apt;
pub(crate) mod execute;
pub(crate) mod failed;
mod hint;
pub(crate) mod isolation;
pub(crate) mod left;
pub(crate) mod output;
pub(crate) mod surroundings;
