use imagewright_lock::facts::Interpreter;
use imagewright_lock::{InterpreterSource, PlatformLock};

use crate::definition::{Content, InterpreterGroup, LayerDefinition, LayerKind};
use crate::planner::Scope;

/// The interpreter that is added to a base without a fitting one. It depends on nothing of the base.
pub(crate) fn interpreter_layer(scope: &Scope<'_>) -> Option<LayerDefinition> {
    let InterpreterSource::Archive { archive } = &scope.lock.interpreter.source else { return None };
    let mut inputs = scope.common_inputs(imagewright_layer::TREE_FORMAT);
    inputs.insert("interpreter format".to_owned(), imagewright_layer::INTERPRETER_FORMAT.to_string());
    inputs.insert("interpreter".to_owned(), format!("{} {}", archive.path.as_str(), archive.sha256));
    inputs.insert("prefix".to_owned(), archive.prefix());
    inputs.insert("bytecode".to_owned(), scope.bytecode_input());
    let title = format!("Python {} (python-build-standalone {})", archive.version, archive.path.release());
    let because = match &scope.base.facts.system {
        Some(system) => format!("{system} has no Python that the spec asks for"),
        None => "the base has no Python that the spec asks for".to_owned(),
    };
    let group = InterpreterGroup {
        archive: archive.clone(),
        prefix: archive.prefix(),
        compiler: scope.lock.compiler.clone(),
    };
    let content = Content::Interpreter(group);
    let asked = scope.recipe.interpreter().version.map(|_| "python_version".to_owned());
    let origins = asked.into_iter().map(|field| ("interpreter".to_owned(), field)).collect();
    let definition = LayerDefinition::new(LayerKind::Interpreter, title, inputs, vec![because], content);
    Some(LayerDefinition { origins, ..definition })
}

/// The interpreter that a spec over the image finds, when one is added.
pub(crate) fn added_interpreter(lock: &PlatformLock) -> Option<Interpreter> {
    let InterpreterSource::Archive { archive } = &lock.interpreter.source else { return None };
    let prefix = archive.prefix();
    Some(Interpreter {
        path: lock.interpreter.path.clone(),
        aliases: ["python", "python3"].map(|name| format!("{prefix}/bin/{name}")).to_vec(),
        minor: lock.interpreter.minor,
        full: lock.interpreter.full.clone(),
    })
}
