//! Says on a terminal's standard error what is waited for, once that lasts.

use std::io::{IsTerminal as _, Write as _};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// What takes less is over before anybody wonders.
const PATIENCE: Duration = Duration::from_millis(400);
/// To the first column, and the rest of the line away (ECMA-48, EL).
const ERASE: &str = "\r\x1b[K";

/// One line that comes late and goes without a trace.
pub(super) struct Wait {
    /// None: nobody would read it.
    teller: Option<(Sender<&'static str>, JoinHandle<()>)>,
}

impl Wait {
    pub(super) fn begin() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { teller: None };
        }
        let (sender, told) = channel::<&'static str>();
        // Without a thread nothing is told, which is as good.
        let thread = std::thread::Builder::new().name("wait".to_owned()).spawn(move || {
            let mut what = "";
            let mut is_shown = false;
            loop {
                match told.recv_timeout(PATIENCE) {
                    Ok(next) => what = next,
                    Err(RecvTimeoutError::Timeout) => {
                        is_shown = true;
                        let _ = write!(std::io::stderr(), "{ERASE}{what} …");
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            if is_shown {
                let _ = write!(std::io::stderr(), "{ERASE}");
            }
        });
        Self { teller: thread.ok().map(|thread| (sender, thread)) }
    }

    /// From now on this is waited for.
    pub(super) fn on(&self, what: &'static str) {
        if let Some((sender, _)) = &self.teller {
            // It has ended only if standard error is closed.
            let _ = sender.send(what);
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.teller.take() {
            drop(sender);
            let _ = thread.join();
        }
    }
}
