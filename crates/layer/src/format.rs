/// The version of the bytes that [`crate::splice_wheels`] makes; part of the key of every such layer (design D11).
///
/// `FORMAT.md` describes the bytes. Other bytes for the same input need another number.
pub const WHEEL_FORMAT: u32 = 1;

/// The version of the bytes that [`crate::encode_tree`] makes; part of the key of every such layer.
pub const TREE_FORMAT: u32 = 1;

/// The version of what [`crate::read_interpreter`] makes of an archive; part of the key of every such layer.
pub const INTERPRETER_FORMAT: u32 = 1;
