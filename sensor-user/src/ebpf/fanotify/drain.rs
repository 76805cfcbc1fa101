//! Reads what the kernel has queued.
//!
//! What a process did is told to whoever knows the process, and what made it known is on another way (the
//! ring). So an event waits for one turn, in which that way is emptied; but for the processes that have ended
//! meanwhile, which are known now and will be forgotten.

use std::collections::HashSet;
use std::os::fd::AsFd as _;

use rustix::io::Errno;

use super::opened::TOGETHER_MAX;
use super::record::{Malformed, Record, Records};
use super::take::Taken;
use super::{Deed, Drained, FanotifyError, FileWatch, Seen, boot_time};
use crate::ebpf::sys::Opened;
use crate::keeper;

/// Reads of one group in one [`FileWatch::drain`], so that a flood cannot keep the agent's one ordered task
/// from its other records. What is left is read in the next turn.
const READS_PER_DRAIN_MAX: usize = 16;
/// The same for openings of secrets, 64 each.
const OPENED_READS_MAX: usize = 8;

/// Events that wait for the next turn.
#[derive(Default)]
pub(super) struct Late {
    closes: Bytes,
    names: Bytes,
    opened: Vec<(u64, Opened)>,
}

/// Events as they were read.
#[derive(Default)]
struct Bytes {
    bytes: Vec<u8>,
    /// When.
    time: u64,
    /// Processes whose events among them were handed on at once.
    done: HashSet<u32>,
}

/// Who is asked about a process.
pub struct Ask<'a> {
    /// Is what it does wanted? The second argument: it is about a secret.
    pub is_wanted: &'a mut dyn FnMut(u32, bool) -> bool,
    /// Has it ended in this turn?
    pub has_ended: &'a dyn Fn(u32) -> bool,
}

impl FileWatch {
    /// Hands on what was read in the last turn, closes first, and reads what the kernel has queued since. Never
    /// waits; reads at most 1 MiB of each group, about 8,000 events.
    ///
    /// # Errors
    /// [`FanotifyError::Read`]: the group is of no use any more.
    pub fn drain(&mut self, ask: &mut Ask<'_>, each: &mut dyn FnMut(Seen)) -> Result<Drained, FanotifyError> {
        std::mem::take(&mut self.held).into_iter().for_each(&mut *each);
        let mut drained = Drained { more: false, ..std::mem::take(&mut self.held_counts) };
        // A file is closed before it gets its final name more often than after.
        let late = std::mem::take(&mut self.late.closes);
        let (late, full) = self.read(true, late, ask, each, &mut drained)?;
        self.late.closes = late;
        drained.overflowed.closes += full;
        let late = std::mem::take(&mut self.late.names);
        let (late, full) = self.read(false, late, ask, each, &mut drained)?;
        self.late.names = late;
        drained.overflowed.names += full;
        self.read_opened(ask, each, &mut drained)?;
        self.directories.let_go();
        Ok(drained)
    }

    /// One group. Returns what waits now, and how often its queue was full.
    fn read(
        &mut self,
        is_close: bool,
        late: Bytes,
        ask: &mut Ask<'_>,
        each: &mut dyn FnMut(Seen),
        drained: &mut Drained,
    ) -> Result<(Bytes, u64), FanotifyError> {
        let mut overflowed = 0;
        let own_pid = self.own_pid;
        let is_due = |pid: Option<u32>| pid.is_none_or(|pid| !late.done.contains(&pid));
        overflowed += self.take(&late.bytes, late.time, &is_due, ask, each, drained);
        let mut new = Bytes { bytes: late.bytes, time: boot_time(), done: HashSet::new() };
        new.bytes.clear();
        drained.more |= !self.fetch(is_close, &mut new.bytes)?;
        for pid in Records::new(&new.bytes).flatten().filter_map(|record| pid(&record)) {
            if pid == own_pid || (ask.has_ended)(pid) {
                new.done.insert(pid);
            }
        }
        if !new.done.is_empty() {
            let is_due = |pid: Option<u32>| pid.is_some_and(|pid| new.done.contains(&pid));
            overflowed += self.take(&new.bytes, new.time, &is_due, ask, each, drained);
        }
        Ok((new, overflowed))
    }

    /// Appends what is queued. False: there may be more.
    fn fetch(&mut self, is_close: bool, bytes: &mut Vec<u8>) -> Result<bool, FanotifyError> {
        let Some(group) = (if is_close { &self.closes } else { &self.names }) else { return Ok(true) };
        for _ in 0..READS_PER_DRAIN_MAX {
            match rustix::io::read(&group.descriptor, &mut self.buffer[..]) {
                Ok(length) if length > 0 => {
                    bytes.extend_from_slice(self.buffer.get(..length).unwrap_or_default());
                }
                Err(Errno::INTR) => {}
                Ok(_) | Err(Errno::AGAIN) => return Ok(true),
                Err(errno) => return Err(FanotifyError::Read(errno.into())),
            }
        }
        Ok(false)
    }

    fn take(
        &mut self,
        bytes: &[u8],
        time: u64,
        is_due: &dyn Fn(Option<u32>) -> bool,
        ask: &mut Ask<'_>,
        each: &mut dyn FnMut(Seen),
        drained: &mut Drained,
    ) -> u64 {
        let mut taken = Taken {
            directories: &mut self.directories,
            capture: self.secrets.as_ref().map(|_| &self.capture),
            rescans: &mut self.rescans,
            own_pid: self.own_pid,
            own_seen: &mut self.own_seen,
            time,
            drained,
            overflowed: 0,
        };
        let is_due = |record: &Result<Record<'_>, Malformed>| is_due(record.as_ref().ok().and_then(pid));
        let mut records = Records::new(bytes).filter(is_due).peekable();
        while records.peek().is_some() {
            let together: Vec<_> = records.by_ref().take(TOGETHER_MAX).collect();
            taken.prepare(together.iter().flatten());
            together.into_iter().for_each(|record| taken.take(record, ask.is_wanted, each));
        }
        taken.overflowed
    }

    fn read_opened(
        &mut self,
        ask: &mut Ask<'_>,
        each: &mut dyn FnMut(Seen),
        drained: &mut Drained,
    ) -> Result<(), FanotifyError> {
        for (time, event) in std::mem::take(&mut self.late.opened) {
            self.opened(time, event, ask, each, drained);
        }
        for _ in 0..OPENED_READS_MAX {
            let Some(secrets) = &self.secrets else { return Ok(()) };
            let opened = keeper::opened(secrets.group.as_fd()).map_err(FanotifyError::Read)?;
            if opened.is_empty() {
                return Ok(());
            }
            let time = boot_time();
            for event in opened {
                if event.pid == self.own_pid || Some(event.pid) == keeper::pid() || (ask.has_ended)(event.pid)
                {
                    self.opened(time, event, ask, each, drained);
                } else {
                    self.late.opened.push((time, event));
                }
            }
        }
        drained.more = true;
        Ok(())
    }

    fn opened(
        &mut self,
        time: u64,
        event: Opened,
        ask: &mut Ask<'_>,
        each: &mut dyn FnMut(Seen),
        drained: &mut Drained,
    ) {
        let Opened { pid, file: Some(file) } = event else {
            drained.overflowed.opens += 1;
            return;
        };
        if pid == self.own_pid || Some(pid) == keeper::pid() {
            drained.own += 1;
            self.own_seen |= libc::FAN_OPEN;
        } else if !(ask.is_wanted)(pid, true) {
            drained.unwanted += 1;
        } else if let Some(path) = self.secrets.as_ref().and_then(|secrets| secrets.path(file)) {
            drained.events += 1;
            each(Seen { pid, time, deed: Deed::Opened { path: path.to_owned() } });
        }
    }
}

/// Who did it; nobody is told of an overflow.
fn pid(record: &Record<'_>) -> Option<u32> {
    match record {
        Record::Rename { pid, .. } | Record::Named { pid, .. } => Some(*pid),
        Record::Overflow | Record::Other => None,
    }
}
