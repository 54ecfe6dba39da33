//! This program as a helper of itself: in the sandbox, and to take away what a process left that could not wait.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};

use imagewright_sandbox::{HELPER_ARGUMENT, OUTERMOST};
use imagewright_store::Store;

use crate::caller::{self, Caller};
use crate::environment::Environment;
use crate::session;

/// The stage of a helper that has nothing to do but to clear up after its caller.
const CLEARING: &str = "clear";

/// Does a helper's work, when this process was started as one. One whose caller was killed clears up after it.
pub(crate) fn run() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != HELPER_ARGUMENT {
        return None;
    }
    let stage = arguments.next().unwrap_or_default();
    let mut caller = Caller::find();
    // Looked up first: the work ends in another place.
    let store =
        Environment::current().ok().and_then(|environment| session::store_directory(&environment).ok());
    let (code, is_left) = if stage == CLEARING {
        (0, arguments.next().is_some_and(|id| caller::await_end(&id.to_string_lossy())))
    } else {
        let code = imagewright_sandbox::helper_main(&stage.to_string_lossy());
        (code, stage == OUTERMOST && caller.has_ended())
    };
    if is_left {
        // Nobody is there to be told if that fails, and the next command tries it again.
        drop(store.map(|store| Store::sweep(&store)));
    }
    Some(ExitCode::from(code))
}

/// Has a helper clear up when this process, which is about to end, has ended.
pub(crate) fn clear_later() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where this program is started to outlive itself"
    )]
    let helper = std::env::current_exe().map(Command::new);
    let Ok(mut helper) = helper else { return };
    helper.args([HELPER_ARGUMENT, CLEARING, &std::process::id().to_string()]);
    // A group of its own: another Ctrl-C is not for it.
    helper.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // If it cannot be started, the next command clears up.
    drop(helper.spawn());
}
