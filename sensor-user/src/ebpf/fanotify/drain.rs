//! Reads what the kernel has queued.

use rustix::io::Errno;

use super::record::Records;
use super::take::Taken;
use super::{Deed, Drained, FanotifyError, FileWatch, Seen, boot_time};

/// Reads of one group in one [`FileWatch::drain`], so that a flood cannot keep the agent's one ordered task
/// from its other records. What is left is read in the next turn.
const READS_PER_DRAIN_MAX: usize = 16;
/// The same for openings of secrets, 64 each.
const OPENED_READS_MAX: usize = 8;

impl FileWatch {
    /// Reads what the kernel has queued, closes first, and hands on what is done by processes that
    /// `is_wanted` says yes to, asked with
    /// whether it is about a secret. Never waits; reads at most 1 MiB of each group, about 8,000 events.
    ///
    /// # Errors
    /// [`FanotifyError::Read`]: the group is of no use any more.
    pub fn drain(
        &mut self,
        is_wanted: &mut dyn FnMut(u32, bool) -> bool,
        each: &mut dyn FnMut(Seen),
    ) -> Result<Drained, FanotifyError> {
        std::mem::take(&mut self.held).into_iter().for_each(&mut *each);
        let mut drained = Drained { more: false, ..std::mem::take(&mut self.held_counts) };
        // A file is closed before it gets its final name more often than after.
        let full = self.read(true, is_wanted, each, &mut drained)?;
        drained.overflowed.closes += full;
        let full = self.read(false, is_wanted, each, &mut drained)?;
        drained.overflowed.names += full;
        self.read_opened(is_wanted, each, &mut drained)?;
        Ok(drained)
    }

    /// Reads one group. Returns how often its queue was full.
    fn read(
        &mut self,
        is_close: bool,
        is_wanted: &mut dyn FnMut(u32, bool) -> bool,
        each: &mut dyn FnMut(Seen),
        drained: &mut Drained,
    ) -> Result<u64, FanotifyError> {
        let Some(group) = (if is_close { &self.closes } else { &self.names }) else { return Ok(0) };
        let mut overflowed = 0;
        for _ in 0..READS_PER_DRAIN_MAX {
            let length = match rustix::io::read(&group.descriptor, &mut self.buffer[..]) {
                Ok(length) if length > 0 => length,
                Err(Errno::INTR) => continue,
                Ok(_) | Err(Errno::AGAIN) => return Ok(overflowed),
                Err(errno) => return Err(FanotifyError::Read(errno.into())),
            };
            let mut taken = Taken {
                directories: &mut self.directories,
                capture: self.secrets.as_ref().map(|_| &self.capture),
                rescans: &mut self.rescans,
                own_pid: self.own_pid,
                own_seen: &mut self.own_seen,
                time: boot_time(),
                drained: &mut *drained,
                overflowed: 0,
            };
            for record in Records::new(self.buffer.get(..length).unwrap_or_default()) {
                taken.take(record, is_wanted, each);
            }
            overflowed += taken.overflowed;
        }
        drained.more = true;
        Ok(overflowed)
    }

    fn read_opened(
        &mut self,
        is_wanted: &mut dyn FnMut(u32, bool) -> bool,
        each: &mut dyn FnMut(Seen),
        drained: &mut Drained,
    ) -> Result<(), FanotifyError> {
        let Some(secrets) = &self.secrets else { return Ok(()) };
        for _ in 0..OPENED_READS_MAX {
            let opened = secrets.group.read().map_err(FanotifyError::Read)?;
            if opened.is_empty() {
                return Ok(());
            }
            let time = boot_time();
            for event in opened {
                let Some(file) = event.file else {
                    drained.overflowed.opens += 1;
                    continue;
                };
                if event.pid == self.own_pid {
                    drained.own += 1;
                    self.own_seen |= libc::FAN_OPEN;
                } else if !is_wanted(event.pid, true) {
                    drained.unwanted += 1;
                } else if let Some(path) = secrets.path(&file) {
                    drained.events += 1;
                    each(Seen { pid: event.pid, time, deed: Deed::Opened { path: path.to_owned() } });
                }
            }
        }
        drained.more = true;
        Ok(())
    }
}
