//! Capabilities: all but the named ones go, from all five sets (capabilities(7)).

use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, no_new_privs,
    remove_capability_from_bounding_set, set_capabilities, set_keep_capabilities, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::PrivilegeError;

/// Beyond the highest capability a kernel has: the sets have 64 bits.
const BITS: u32 = u64::BITS;

/// What this thread may do now.
#[must_use]
pub fn held() -> CapabilitySet {
    capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective)
}

/// Gives up all capabilities of this thread but `kept`, and the way to new ones. What of `kept` is not there does not come.
/// With a `user` it gives up being root as well, where it may and the host has such a user's number.
///
/// The bounding set can be emptied with `CAP_SETPCAP` alone. Without it what is in there is of no use to anybody: it
/// counts when a program is executed, and no_new_privs is set, with which that brings nothing new.
///
/// # Errors
/// The kernel refuses, or does something else.
pub fn keep(kept: CapabilitySet, user: Option<u32>) -> Result<(), PrivilegeError> {
    let refused = |errno: Errno| PrivilegeError::Capabilities(errno.into());
    let had = capabilities(None).map_err(refused)?;
    if had.effective.contains(CapabilitySet::SETPCAP) {
        for bit in 0..BITS {
            match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
                Ok(()) => {}
                // Beyond the last one of this kernel.
                Err(Errno::INVAL) => break,
                Err(errno) => return Err(refused(errno)),
            }
        }
    }
    match clear_ambient_capability_set() {
        // Without ambient capabilities in the kernel (before 4.3) there are none.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(errno) => return Err(refused(errno)),
    }
    if let Some(user) = user
        && had.effective.contains(CapabilitySet::SETUID | CapabilitySet::SETGID)
    {
        change_user(user).map_err(|errno| PrivilegeError::User(errno.into()))?;
    }
    let kept = kept & had.permitted;
    let wanted = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, wanted).map_err(refused)?;
    let left = capabilities(None).map_err(refused)?;
    let beyond = (left.effective | left.permitted | left.inheritable) - kept;
    if !beyond.is_empty() {
        return Err(PrivilegeError::Left(beyond));
    }
    set_no_new_privs(true).map_err(|errno| PrivilegeError::NoNewPrivileges(errno.into()))?;
    match no_new_privs() {
        Ok(true) => Ok(()),
        Ok(false) => Err(PrivilegeError::NoNewPrivileges(Errno::PERM.into())),
        Err(errno) => Err(PrivilegeError::NoNewPrivileges(errno.into())),
    }
}

/// Becomes a user and a group of that number, and of no other group. Permitted capabilities stay, for now.
fn change_user(number: u32) -> Result<(), Errno> {
    set_keep_capabilities(true)?;
    set_thread_groups(&[])?;
    let (user, group) = (Uid::from_raw(number), Gid::from_raw(number));
    match set_thread_res_gid(group, group, group).and_then(|()| set_thread_res_uid(user, user, user)) {
        // A user namespace without that number: it stays who it is there.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(errno) => return Err(errno),
    }
    set_keep_capabilities(false)
}
