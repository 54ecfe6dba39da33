use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use imagewright_oci::DEFAULT_PATH;
use rustix::fs::{Access, FileType, Mode, access, stat};
use rustix::process::{chdir, setsid, umask};

use super::chroot::{self, Places};
use super::made::Made;
use super::mounts::{self, Mounts};
use super::user::User;
use super::{Outcome, overlay, privileges};
use crate::channel::Assignment;
use crate::task::{Confinement, Failure, Report, Trying as _, Work};
use crate::{Network, RunRequest};

/// Enters the root file system and becomes the command; returns only if that fails, or after a probe.
pub(super) fn enter(assignment: &mut Assignment) -> Outcome {
    let task = assignment.task()?;
    let (Work::Run(request) | Work::Step(request) | Work::Probe(request)) = &task.work else {
        return Err(Failure::NoCommand);
    };
    let mut made = Made::begin(&request.scratch)?;
    match task.confinement {
        Confinement::Namespaces => {
            let mounts = Mounts::take(request)?;
            mounts::enter_root(&overlay::merged(&request.scratch))?;
            mounts.attach(&mut made)?;
        }
        Confinement::Chroot => {
            let places = Places::take(request)?;
            enter_directory(&chroot::tree(&request.scratch))?;
            places.put(&mut made)?;
        }
    }
    let user = User::look_up(&request.user)?;
    made.directory(&request.cwd, 0o755)?;
    privileges::become_user(&user, task.identity)?;
    umask(Mode::from_raw_mode(0o022));
    let input = match task.work {
        Work::Probe(_) => return Ok(Some(Report::Done)),
        Work::Step(_) => {
            // Without a terminal there is nothing to ask on, and its Ctrl-C is for the caller.
            setsid().trying(|| "leave the terminal".to_owned())?;
            Stdio::null()
        }
        _ => assignment.data.try_clone()?.into(),
    };
    chdir(&request.cwd).map_err(|errno| Failure::WorkingDirectory {
        directory: request.cwd.clone(),
        cause: io::Error::from(errno).into(),
    })?;
    if task.confinement == Confinement::Chroot && request.network == Network::None {
        privileges::refuse_network().trying(|| "take the network away".to_owned())?;
    }
    Err(execute(request, &user, input))
}

fn enter_directory(root: &Path) -> Result<(), Failure> {
    let step = || format!("enter the root directory {}", root.display());
    rustix::process::chroot(root).trying(step)?;
    chdir("/").trying(step)
}

fn execute(request: &RunRequest, user: &User, input: Stdio) -> Failure {
    let environment = environment(request, user);
    let Some((program, arguments)) = request.argv.split_first() else { return Failure::NoCommand };
    let program_path = match find_program(program, &environment["PATH"]) {
        Ok(path) => path,
        Err(failure) => return failure,
    };
    #[expect(clippy::disallowed_methods, reason = "the one place where a command of an image is started")]
    let error = Command::new(&program_path)
        .arg0(program)
        .args(arguments)
        .env_clear()
        .envs(&environment)
        .stdin(input)
        .exec();
    Failure::NotExecutable { program: program_path, cause: error.into() }
}

fn environment(request: &RunRequest, user: &User) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::from([
        ("PATH".to_owned(), DEFAULT_PATH.to_owned()),
        ("HOME".to_owned(), user.home.clone()),
    ]);
    environment.extend(
        request
            .env
            .iter()
            .filter_map(|entry| entry.split_once('='))
            .map(|(name, value)| (name.into(), value.into())),
    );
    environment
}

/// The path of a program: itself if it has a slash, else the first executable file of that name in `search`.
fn find_program(program: &str, search: &str) -> Result<String, Failure> {
    let missing = |searched| Failure::NoSuchProgram { program: program.to_owned(), searched };
    if program.contains('/') {
        return match stat(program) {
            Ok(_) => Ok(program.to_owned()),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Err(missing(None)),
            Err(errno) => Err(Failure::NotExecutable {
                program: program.to_owned(),
                cause: io::Error::from(errno).into(),
            }),
        };
    }
    search
        .split(':')
        .map(|directory| format!("{}/{program}", if directory.is_empty() { "." } else { directory }))
        .find(|path| is_executable(Path::new(path)))
        .ok_or_else(|| missing(Some(search.to_owned())))
}

fn is_executable(path: &Path) -> bool {
    stat(path).is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_file())
        && access(path, Access::EXEC_OK).is_ok()
}
