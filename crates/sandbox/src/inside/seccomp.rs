//! System call filters, assembled by hand: what is needed is a handful of comparisons, and a listener.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use rustix::io::Errno;

/// What happens to a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// It does nothing and succeeds.
    Pretend,
    /// It does nothing and fails.
    Refuse(Errno),
    /// It waits for the answer of a [`Listener`].
    Ask,
}

/// A system call, and its first argument if only that one is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) call: libc::c_long,
    pub(super) first_argument: Option<u32>,
    pub(super) action: Action,
}

/// Where calls with [`Action::Ask`] are answered.
#[derive(Debug)]
pub(super) struct Listener(File);

/// A system call that waits.
#[derive(Debug)]
pub(super) struct Question {
    id: u64,
    pub(super) pid: u32,
    pub(super) call: libc::c_long,
    pub(super) arguments: [u64; 6],
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

// The offsets of `struct seccomp_data`; both architectures have the low half of an argument first.
const CALL_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const FIRST_ARGUMENT_AT: u32 = 16;

/// Filters the calls of this process and of all that it will start; the kernel asks for CAP_SYS_ADMIN in the user
/// namespace, or for `no_new_privs`. Calls of another architecture's programs are not filtered.
pub(super) fn install(rules: &[Rule]) -> io::Result<()> {
    load(rules, 0).map(drop)
}

/// As [`install`], with someone to ask.
pub(super) fn install_with_listener(rules: &[Rule]) -> io::Result<Listener> {
    let descriptor = load(rules, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
    let descriptor = i32::try_from(descriptor).map_err(|_| Errno::BADF)?;
    // SAFETY: the kernel has just made it for this process, and it is closed on exec.
    #[expect(unsafe_code, reason = "there is no safe way to take over a descriptor that a system call gave")]
    let listener = unsafe { OwnedFd::from_raw_fd(descriptor) };
    Ok(Listener(listener.into()))
}

fn load(rules: &[Rule], flags: libc::c_ulong) -> io::Result<libc::c_long> {
    let mut program = program(rules);
    let length = u16::try_from(program.len()).map_err(|_| Errno::TOOBIG)?;
    let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: the program outlives the call, which copies it, and its length is right.
    #[expect(unsafe_code, reason = "no safe library has seccomp(2) with a listener")]
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn program(rules: &[Rule]) -> Vec<libc::sock_filter> {
    let mut program = vec![load_word(ARCHITECTURE_AT), skip_unless(ARCHITECTURE, 0), load_word(CALL_AT)];
    for rule in rules {
        let call = u32::try_from(rule.call).expect("numbers of system calls are small");
        match rule.first_argument {
            None => program.extend([skip_unless(call, 1), end(rule.action)]),
            Some(argument) => program.extend([
                skip_unless(call, 4),
                load_word(FIRST_ARGUMENT_AT),
                skip_unless(argument, 1),
                end(rule.action),
                load_word(CALL_AT),
            ]),
        }
    }
    let allow = program.len();
    program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    // The kernel knows another architecture's calls by other numbers: allow them all.
    program[1].jf = u8::try_from(allow - 2).expect("a program of few rules");
    program
}

fn load_word(offset: u32) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

fn skip_unless(value: u32, count: u8) -> libc::sock_filter {
    libc::sock_filter { jf: count, ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value) }
}

fn end(action: Action) -> libc::sock_filter {
    let value = match action {
        Action::Pretend => libc::SECCOMP_RET_ERRNO,
        Action::Refuse(errno) => libc::SECCOMP_RET_ERRNO | errno.raw_os_error().cast_unsigned(),
        Action::Ask => libc::SECCOMP_RET_USER_NOTIF,
    };
    statement(libc::BPF_RET | libc::BPF_K, value)
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).expect("operations are small"), jt: 0, jf: 0, k }
}

impl Listener {
    pub(super) fn file(&self) -> &File {
        &self.0
    }

    /// The next call that waits; none if its process was killed since.
    pub(super) fn next(&self) -> io::Result<Option<Question>> {
        // SAFETY: zeros are a valid value of this struct, and what the kernel asks for.
        #[expect(unsafe_code, reason = "no safe library has seccomp's listener")]
        let (result, question) = unsafe {
            let mut question: libc::seccomp_notif = std::mem::zeroed();
            let result = libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut question);
            (result, question)
        };
        match unless_gone(result)? {
            None => Ok(None),
            Some(()) => Ok(Some(Question {
                id: question.id,
                pid: question.pid,
                call: question.data.nr.into(),
                arguments: question.data.args,
            })),
        }
    }

    /// Lets the call return success or an error.
    pub(super) fn answer(&self, question: &Question, result: Result<(), Errno>) -> io::Result<()> {
        let error = result.map_or_else(|errno| -errno.raw_os_error(), |()| 0);
        let mut answer = libc::seccomp_notif_resp { id: question.id, val: 0, error, flags: 0 };
        // SAFETY: the struct is what this request takes.
        #[expect(unsafe_code, reason = "no safe library has seccomp's listener")]
        let result =
            unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) };
        unless_gone(result).map(drop)
    }
}

impl Question {
    /// The text at an address of the process that asks.
    pub(super) fn text(&self, address: u64) -> io::Result<Vec<u8>> {
        const PAGE: u64 = 4096;
        let mut text = Vec::new();
        while text.len() < libc::PATH_MAX.cast_unsigned() as usize {
            let at = address + text.len() as u64;
            // A page is there or not as a whole.
            let mut bytes = vec![0; usize::try_from(PAGE - at % PAGE).map_err(|_| Errno::FAULT)?];
            let count = self.read(at, &mut bytes)?;
            match bytes[..count].iter().position(|byte| *byte == 0) {
                Some(end) => {
                    text.extend(&bytes[..end]);
                    return Ok(text);
                }
                None => text.extend(&bytes[..count]),
            }
        }
        Err(Errno::NAMETOOLONG.into())
    }

    fn read(&self, address: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let pid = i32::try_from(self.pid).map_err(|_| Errno::SRCH)?;
        let length = bytes.len();
        let ours = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: length };
        let address = usize::try_from(address).map_err(|_| Errno::FAULT)?;
        let theirs = libc::iovec { iov_base: std::ptr::without_provenance_mut(address), iov_len: length };
        // SAFETY: the kernel writes only into `bytes`, and checks the other process's address itself.
        #[expect(unsafe_code, reason = "no safe library reads the memory of another process")]
        let count = unsafe { libc::process_vm_readv(pid, &raw const ours, 1, &raw const theirs, 1, 0) };
        match usize::try_from(count) {
            Ok(0) => Err(Errno::FAULT.into()),
            Ok(count) => Ok(count),
            Err(_) => Err(io::Error::last_os_error()),
        }
    }
}

/// Whether a request to the kernel was for a process that is still there.
fn unless_gone(result: libc::c_int) -> io::Result<Option<()>> {
    if result >= 0 {
        return Ok(Some(()));
    }
    let error = io::Error::last_os_error();
    let gone = [Errno::NOENT, Errno::INTR].map(Errno::raw_os_error);
    if error.raw_os_error().is_some_and(|number| gone.contains(&number)) { Ok(None) } else { Err(error) }
}
