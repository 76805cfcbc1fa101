//! When to end: SIGINT, SIGTERM, or the terminal is gone.

use std::io;

use rustix::termios::isatty;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves at the first SIGINT or SIGTERM after this call, and at a SIGHUP that says that the terminal of standard
/// output is closed; any other SIGHUP means that rules are to be read again. Must be called within a tokio runtime.
///
/// # Errors
/// The handlers cannot be installed.
pub fn requested() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let hangup = isatty(io::stdout()).then(|| signal(SignalKind::hangup())).transpose()?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = terminal_gone(hangup) => {}
        }
    })
}

/// A terminal that hung up is none any more (`ioctl_tty(2)`: every request fails).
async fn terminal_gone(hangup: Option<Signal>) {
    let Some(mut hangup) = hangup else { return std::future::pending().await };
    while hangup.recv().await.is_some() {
        if !isatty(io::stdout()) {
            return;
        }
    }
}
