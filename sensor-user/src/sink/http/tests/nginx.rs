//! A real nginx that writes down each request with its body.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::sink::sample::PATIENCE;

const BINARY: &str = "/usr/sbin/nginx";

/// What it wrote down of a request; every one, however it was answered.
#[derive(Clone, Debug, serde::Deserialize)]
pub(super) struct Request {
    pub(super) status: u16,
    pub(super) uri: String,
    pub(super) agent: String,
    pub(super) content_type: String,
    pub(super) key: String,
    pub(super) authorization: String,
    /// Which connection it came over.
    pub(super) connection: u64,
    pub(super) body: String,
}

impl Request {
    /// One document a line.
    pub(super) fn documents(&self) -> Vec<Value> {
        let document =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.body.lines().map(document).collect()
    }
}

pub(super) struct Nginx {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
    is_tls: bool,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its own child, so the pid cannot be another's. It has no state worth an orderly end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Nginx {
    /// Answers 204, unless `settings`, which stand in its server, say otherwise. None: there is no nginx.
    pub(super) async fn start(port: u16, settings: &str) -> Option<Self> {
        Self::start_at(port, "", settings).await
    }

    /// The same over TLS.
    pub(super) async fn start_tls(port: u16, certificate: &Path, key: &Path, settings: &str) -> Option<Self> {
        let pair = format!(
            "ssl_certificate {}; ssl_certificate_key {}; {settings}",
            certificate.display(),
            key.display()
        );
        Self::start_at(port, " ssl", &pair).await
    }

    async fn start_at(port: u16, tls: &str, settings: &str) -> Option<Self> {
        if !Path::new(BINARY).exists() {
            println!("not checked against nginx: it is not installed at {BINARY}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let configuration = configuration(folder.path(), port, tls, settings);
        std::fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        let child = Command::new(BINARY)
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf", "-e", "error"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let nginx = Self { child, folder, port, is_tls: !tls.is_empty() };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(begun.elapsed() < PATIENCE, "nginx does not come up: {}", nginx.errors());
            sleep(Duration::from_millis(5)).await;
        }
        Some(nginx)
    }

    pub(super) fn url(&self, path: &str) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://localhost:{}{path}", self.port)
    }

    /// Every request so far.
    pub(super) fn so_far(&self) -> Vec<Request> {
        let text = std::fs::read_to_string(self.folder.path().join("seen")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |at| &text[..at]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    /// Waits until it has taken so many requests; those.
    pub(super) async fn requests(&self, count: usize) -> Vec<Request> {
        self.taken(|taken| taken.len() >= count).await
    }

    /// Waits until it has taken so many documents; the requests they came in.
    pub(super) async fn documents(&self, count: usize) -> Vec<Request> {
        self.taken(|taken| taken.iter().map(|request| request.documents().len()).sum::<usize>() >= count)
            .await
    }

    async fn taken(&self, is_enough: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        let begun = Instant::now();
        loop {
            let mut taken = self.so_far();
            taken.retain(|request| request.status == 204);
            if is_enough(&taken) {
                return taken;
            }
            assert!(begun.elapsed() < PATIENCE, "only {} came: {}", taken.len(), self.errors());
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn errors(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error")).unwrap_or_default()
    }
}

/// A body is read, and can be logged, only for somebody behind, who is nginx itself.
fn configuration(folder: &Path, port: u16, tls: &str, settings: &str) -> String {
    let back = folder.join("back.sock");
    format!(
        r#"daemon off; master_process off; pid pid; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  client_body_buffer_size 2m; client_body_in_single_buffer on; client_max_body_size 2m;
  log_format seen escape=json '{{"status":$status,"uri":"$request_uri","agent":"$http_user_agent",'
    '"content_type":"$content_type","key":"$http_idempotency_key","authorization":"$http_authorization",'
    '"connection":$connection,"body":"$request_body"}}';
  access_log seen seen;
  server {{
    listen 127.0.0.1:{port}{tls};
    {settings}
    location / {{ proxy_pass http://unix:{back}; }}
  }}
  server {{ listen unix:{back}; access_log off; return 204; }}
}}
"#,
        back = back.display(),
    )
}
