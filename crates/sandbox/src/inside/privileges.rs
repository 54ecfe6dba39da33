//! Namespaces, ids and capabilities of the calling process.

use std::fs::OpenOptions;
use std::io::{self, Write as _};

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, UnshareFlags, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

use super::seccomp::{self, Action, Rule};
use super::user::User;
use crate::task::{Failure, Identity, Trying as _};

/// What a process in a container may do as root: the set that container engines give by default.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);

/// The highest capability that a kernel could have.
const LAST_CAPABILITY: u32 = 63;

/// `unshare(2)` for flags that make namespaces.
#[expect(unsafe_code, reason = "rustix marks it so for UnshareFlags::FILES alone")]
pub(super) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: only `UnshareFlags::FILES` can make descriptors disappear for another thread.
    unsafe { rustix::thread::unshare_unsafe(flags.difference(UnshareFlags::FILES)) }.map_err(Into::into)
}

/// Maps one user and one group, each as (inside, outside), into the user namespace that was just made.
pub(super) fn map_single_id(user: (u32, u32), group: (u32, u32)) -> Result<(), Failure> {
    let (user, group) = (format!("{} {} 1\n", user.0, user.1), format!("{} {} 1\n", group.0, group.1));
    for (file, text) in [("setgroups", "deny"), ("uid_map", &user), ("gid_map", &group)] {
        OpenOptions::new()
            .write(true)
            .open(format!("/proc/self/{file}"))
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .trying(|| format!("write the id map of the user namespace ({file})"))?;
    }
    Ok(())
}

/// Becomes the user that runs the command.
pub(super) fn become_user(user: &User, identity: Identity) -> Result<(), Failure> {
    keep_capabilities(KEPT).trying(|| "drop capabilities".to_owned())?;
    if identity == Identity::Single {
        return become_single(user);
    }
    let ids = || format!("become user {} with group {}", user.uid.as_raw(), user.gid.as_raw());
    set_thread_groups(&user.groups).trying(ids)?;
    set_thread_res_gid(user.gid, user.gid, user.gid).trying(ids)?;
    set_thread_res_uid(user.uid, user.uid, user.uid).trying(ids)
}

/// With one id there is nothing to change to, but a further user namespace can call it by another number.
fn become_single(user: &User) -> Result<(), Failure> {
    if user.uid.is_root() && user.gid.is_root() {
        return Ok(());
    }
    unshare(UnshareFlags::NEWUSER).trying(|| "make the user namespace of the command".to_owned())?;
    map_single_id((user.uid.as_raw(), 0), (user.gid.as_raw(), 0))
}

/// Without a network namespace, no socket of the Internet's families can be made.
pub(super) fn refuse_network() -> io::Result<()> {
    let families = [libc::AF_INET, libc::AF_INET6, libc::AF_PACKET];
    let rules = families.map(|family| Rule {
        call: libc::SYS_socket,
        first_argument: Some(family.cast_unsigned()),
        action: Action::Refuse(Errno::AFNOSUPPORT),
    });
    set_no_new_privs(true)?;
    seccomp::install(&rules)
}

/// Nothing that is executed from here on can have other capabilities.
fn keep_capabilities(kept: CapabilitySet) -> io::Result<()> {
    for bit in 0..=LAST_CAPABILITY {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        if kept.contains(capability) {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The kernel does not know this one, so it does not know any higher one either.
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    clear_ambient_capability_set()?;
    let now = capabilities(None)?;
    set_capabilities(None, CapabilitySets { inheritable: CapabilitySet::empty(), ..now })?;
    Ok(())
}
