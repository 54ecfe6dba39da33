/// Options of the native builder: `builder_options` in the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuilderOptions {
    /// Whether the image has compiled Python beside its sources; on by default, as in flytekit.
    pub bytecode: bool,
    /// Whether each of the `commands` is a layer of its own (`commands: separate`), not all one (`joined`).
    pub separate_commands: bool,
}

impl Default for BuilderOptions {
    fn default() -> Self {
        Self { bytecode: true, separate_commands: false }
    }
}
