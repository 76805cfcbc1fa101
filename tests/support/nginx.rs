//! The real nginx as a receiver of webhooks: it takes every POST and writes down what it was.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use serde_json::Value;

use crate::child::{Child, bound, find};
use crate::wait;

/// nginx is up within milliseconds.
const READY_MAX: Duration = Duration::from_secs(10);

/// One receiver.
#[derive(Debug)]
pub struct Nginx {
    pub address: SocketAddr,
    seen: PathBuf,
    daemon: Child,
}

/// A request that it answered with success.
#[derive(Clone, Debug)]
pub struct Post {
    /// The header `Idempotency-Key`.
    pub key: String,
    pub body: String,
}

impl Post {
    /// The body read as JSON, where it is that.
    #[must_use]
    pub fn document(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }
}

impl Nginx {
    /// Starts a receiver at `address` with its files in `directory`; what an earlier one wrote down there stays.
    ///
    /// # Errors
    /// nginx is missing or does not come up.
    pub fn start(directory: &Path, address: SocketAddr) -> Result<Self> {
        let program = find(&["/usr/sbin/nginx"], "install nginx-light")?;
        fs::create_dir_all(directory)?;
        let back = directory.join("back.sock");
        if back.exists() {
            fs::remove_file(&back)?;
        }
        fs::write(directory.join("nginx.conf"), configuration(&back, address))?;
        let mut command = bound(program);
        command.arg("-p").arg(directory).args(["-c", "nginx.conf", "-e", "error"]);
        let mut daemon = Child::start("nginx", command, directory.join("log"))?;
        daemon.await_ready(
            READY_MAX,
            "an accepted connection",
            || Ok(TcpStream::connect(address).is_ok()),
        )?;
        Ok(Self { address, seen: directory.join("seen"), daemon })
    }

    /// Kills it, whatever it is at.
    ///
    /// # Errors
    /// It had ended.
    pub fn kill(&mut self) -> Result<()> {
        self.daemon.signal(Signal::KILL)?;
        self.daemon.end()
    }

    /// Stops it: its kernel goes on taking connections and what is sent over them, as long as there is room.
    ///
    /// # Errors
    /// It had ended.
    pub fn pause(&mut self) -> Result<()> {
        self.daemon.signal(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It had ended.
    pub fn resume(&mut self) -> Result<()> {
        self.daemon.signal(Signal::CONT)
    }

    /// Every POST so far, in order.
    ///
    /// # Errors
    /// The file cannot be read, or a whole line of it is not JSON.
    pub fn posts(&self) -> Result<Vec<Post>> {
        let text = fs::read_to_string(&self.seen).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |at| text.get(..at).unwrap_or_default());
        let post = |line: &str| {
            let row: Value = serde_json::from_str(line).with_context(|| format!("nginx wrote {line:?}"))?;
            let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            Ok(Post { key: text("key"), body: text("body") })
        };
        whole.lines().map(post).collect()
    }

    /// The first POST, past or to come, for which `wanted` holds.
    ///
    /// # Errors
    /// None within `timeout`; `what` names it.
    pub fn await_post(&self, timeout: Duration, what: &str, wanted: impl Fn(&Post) -> bool) -> Result<Post> {
        wait::until(timeout, what, || Ok(self.posts()?.into_iter().find(|post| wanted(post))))
    }
}

/// A body is read, and can be logged, only for somebody behind, who is nginx itself. One process, so that a signal
/// reaches who serves.
fn configuration(back: &Path, address: SocketAddr) -> String {
    format!(
        r#"daemon off; master_process off; pid pid; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  client_body_buffer_size 2m; client_body_in_single_buffer on; client_max_body_size 2m;
  map $status $is_taken {{ 204 1; default 0; }}
  log_format seen escape=json '{{"key":"$http_idempotency_key","body":"$request_body"}}';
  access_log seen seen if=$is_taken;
  server {{ listen {address}; location / {{ proxy_pass http://unix:{back}; }} }}
  server {{ listen unix:{back}; access_log off; return 204; }}
}}
"#,
        back = back.display(),
    )
}
