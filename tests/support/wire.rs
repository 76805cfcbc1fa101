//! A wire to a TCP server that can be cut, or held so that nothing comes through.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Result;

/// What a wire does with whoever connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Carries both ways.
    Open,
    /// Takes the connection and never answers.
    Held,
    /// As that; and what is connected stays so, and carries nothing more.
    Muted,
    /// Hangs up at once.
    Cut,
}

/// It listens as long as the process lives; connections end with the value.
#[derive(Debug)]
pub struct Wire {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    ends: Vec<TcpStream>,
    accepted: usize,
}

impl Wire {
    /// To `server` on 127.0.0.1.
    ///
    /// # Errors
    /// There is no free port.
    pub fn start(server: u16, mode: Mode) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(Mutex::new(State { mode, ends: Vec::new(), accepted: 0 }));
        let wire = Self { port, state: Arc::clone(&state) };
        thread::spawn(move || {
            for client in listener.incoming().map_while(std::io::Result::ok) {
                // Who cannot be carried is hung up on, as by a wire.
                drop(take(client, server, &state));
            }
        });
        Ok(wire)
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on; what is connected is cut, unless it stays open.
    pub fn set(&self, mode: Mode) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.mode = mode;
        if !matches!(mode, Mode::Held | Mode::Muted) {
            for end in state.ends.drain(..) {
                // One that has ended already is as good.
                drop(end.shutdown(Shutdown::Both));
            }
        }
    }

    /// Connections so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).accepted
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.set(Mode::Cut);
    }
}

fn take(client: TcpStream, server: u16, shared: &Arc<Mutex<State>>) -> std::io::Result<()> {
    let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
    state.accepted += 1;
    match state.mode {
        Mode::Cut => {}
        Mode::Held | Mode::Muted => state.ends.push(client),
        Mode::Open => {
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
            state.ends.extend([client.try_clone()?, server.try_clone()?]);
            for (from, to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
                let state = Arc::clone(shared);
                thread::spawn(move || carry(from, to, &state));
            }
        }
    }
    Ok(())
}

fn carry(mut from: TcpStream, mut to: TcpStream, state: &Mutex<State>) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(length) = from.read(&mut bytes)
        && length > 0
        && let Some(read) = bytes.get(..length)
    {
        // Lost on the way: what comes later would not fit, so nothing of this connection comes again.
        let is_muted = state.lock().unwrap_or_else(PoisonError::into_inner).mode == Mode::Muted;
        if !is_muted && to.write_all(read).is_err() {
            break;
        }
    }
    for end in [from, to] {
        // One that has ended already is as good.
        drop(end.shutdown(Shutdown::Both));
    }
}
