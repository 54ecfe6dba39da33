use std::thread;

use rustix::process::getpgrp;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::SandboxError;
use crate::launch::Signaller;

/// Passes the signals that this process gets on to a command until `wait` returns.
pub(crate) fn forwarded_to<T>(
    command: &Signaller,
    wait: impl FnOnce() -> Result<T, SandboxError>,
) -> Result<T, SandboxError> {
    let failed = |source| SandboxError::Step { step: "handle signals".to_owned(), source };
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2]).map_err(failed)?;
    let handle = signals.handle();
    thread::scope(|scope| {
        scope.spawn(|| {
            for signal in &mut signals {
                if matches!(signal, SIGINT | SIGQUIT) && terminal_signals_us() {
                    continue;
                }
                // A command that has ended needs no signal; any other failure ends the channel and so the command.
                drop(command.send(u8::try_from(signal).expect("these signals have small numbers")));
            }
        });
        let result = wait();
        handle.close();
        result
    })
}

/// Whether a terminal sends its signals to this process's group, in which the command is, too.
fn terminal_signals_us() -> bool {
    fs_err::File::open("/dev/tty")
        .ok()
        .and_then(|terminal| rustix::termios::tcgetpgrp(terminal.file()).ok())
        .is_some_and(|group| group == getpgrp())
}
