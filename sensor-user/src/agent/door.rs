//! Where a running agent is asked: the control socket, and those of monitoring. Without any the sensor sees as well, so
//! one that cannot be had is no reason not to start.

use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::config::Config;
use crate::control::{self, ASKS_MAX, Ask};
use crate::exposition::{self, Pulse};
use crate::sink::Origin;

/// All doors; closed when this is dropped.
pub(super) struct Doors {
    asked: mpsc::Receiver<Ask>,
    /// Held, so that whoever waits for a question waits where no door is open.
    _asks: mpsc::Sender<Ask>,
    _control: Option<control::Server>,
    _metrics: Vec<exposition::Server>,
    pub(super) pulse: Arc<Pulse>,
}

impl Doors {
    pub(super) fn open(config: &Config, origin: &Arc<Origin>) -> Self {
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let pulse = Arc::new(Pulse::default());
        let control = config.control.as_deref().and_then(|path| {
            let server = control::Server::start(path, Arc::clone(origin), asks.clone());
            server
                .inspect_err(|error| {
                    warn!(%error, "`tidewaiter ps` cannot ask this agent; the key `control` names another place");
                })
                .ok()
        });
        let metrics = &config.metrics;
        let socket = metrics.socket.as_deref();
        let socket = socket.map(|path| exposition::Server::at_socket(path, asks.clone(), Arc::clone(&pulse)));
        let listen = metrics.listen;
        let listen =
            listen.map(|address| exposition::Server::at_address(address, asks.clone(), Arc::clone(&pulse)));
        let servers = socket.into_iter().chain(listen).filter_map(|server| {
            let server = server.inspect_err(|error| {
                warn!(%error, "/metrics cannot be asked there; the key `metrics` names another place");
            });
            server.ok()
        });
        let servers: Vec<_> = servers.collect();
        if let Some(address) = servers.iter().find_map(exposition::Server::address) {
            info!("/metrics at http://{address}: whoever reaches that address reads it");
        }
        Self { asked, _asks: asks, _control: control, _metrics: servers, pulse }
    }

    pub(super) async fn asked(&mut self) -> Option<Ask> {
        self.asked.recv().await
    }
}
