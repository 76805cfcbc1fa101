//! Waiting for a condition, never for a time: a bounded poll that says what it waited for.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Pause between two looks at a condition: short against the times under test (hundreds of
/// milliseconds), long enough to leave the two cores to the parts.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks at `condition` until it yields a value.
///
/// # Errors
/// The condition's own error at once; or, after `timeout`, a sentence that names `what`.
pub fn until<T>(
    timeout: Duration,
    what: &str,
    mut condition: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(value) = condition()? {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            bail!("waited {:.1} s in vain for {what}", timeout.as_secs_f32());
        }
        std::thread::sleep(PAUSE);
    }
}
