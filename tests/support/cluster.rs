//! A Kubernetes API server with its database, on loopback, and a wire to it that can be cut.
//!
//! It is the real one (`cargo xtask setup` makes it), without nodes, controllers or a scheduler: pods are what the
//! tests say they are.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::child::{Child, bound, run};
use crate::wait;

/// It reads and writes its own roles first; 3 s on an idle machine.
const READY_MAX: Duration = Duration::from_secs(60);
/// No answer of it takes longer on a machine that also compiles.
const ANSWER_MAX: &str = "20";
/// Who may do everything, in the server's own list of tokens.
const ADMIN: &str = "admin-token";

/// Both processes, for as long as this value lives.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    program: PathBuf,
    port: u16,
    database: u16,
    server: Option<Child>,
    _database: Child,
}

impl Cluster {
    /// Starts etcd and kube-apiserver of the lab, with their files under `directory`.
    ///
    /// # Errors
    /// They are not there, or do not come up.
    pub fn start(lab: &Path, directory: &Path) -> Result<Self> {
        let made = lab.join("apiserver");
        let program = made.join("kube-apiserver");
        ensure!(program.is_file(), "{} is missing: `cargo xtask setup` makes it", program.display());
        let (database, peers, port) = (free_port()?, free_port()?, free_port()?);
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let mut etcd = bound(made.join("etcd"));
        etcd.arg("--data-dir").arg(directory.join("etcd")).arg("--unsafe-no-fsync");
        etcd.args(["--listen-client-urls", &url(database), "--advertise-client-urls", &url(database)]);
        etcd.args(["--listen-peer-urls", &url(peers)]);
        let mut database_process = Child::start("etcd", etcd, directory.join("etcd.log"))?;
        database_process.await_ready(READY_MAX, "etcd's health", || {
            Ok(run(Command::new("curl").args(["-sSf", "-m", "5"]).arg(format!("{}/health", url(database))))
                .is_ok())
        })?;
        fs::write(directory.join("tokens.csv"), format!("{ADMIN},admin,1,\"system:masters\"\n"))?;
        let (directory, server) = (directory.to_owned(), None);
        let mut cluster = Self { directory, program, port, database, server, _database: database_process };
        cluster.serve()?;
        Ok(cluster)
    }

    /// Stops the server and starts it again on the same port: what it kept in memory is gone.
    ///
    /// # Errors
    /// It does not come up again.
    pub fn restart(&mut self) -> Result<()> {
        if let Some(mut server) = self.server.take() {
            server.end()?;
        }
        self.serve()
    }

    fn serve(&mut self) -> Result<()> {
        let mut server = bound(&self.program);
        let file = |name: &str| self.directory.join(name).display().to_string();
        server.args([
            format!("--etcd-servers=http://127.0.0.1:{}", self.database),
            format!("--cert-dir={}", file("certificates")),
            format!("--secure-port={}", self.port),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            // It makes a key for itself before it reads one for the tokens of accounts: the same will do.
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-signing-key-file={}", file("certificates/apiserver.key")),
            format!("--service-account-key-file={}", file("certificates/apiserver.key")),
            format!("--token-auth-file={}", file("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            // Nobody here makes the default service account of each namespace.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            "--service-cluster-ip-range=10.96.0.0/24".to_owned(),
        ]);
        let mut server = Child::start("kube-apiserver", server, self.directory.join("apiserver.log"))?;
        server.await_ready(READY_MAX, "its readiness", || {
            Ok(self.certificate().is_file() && self.status(ADMIN, "/readyz").is_ok_and(|code| code == 200))
        })?;
        self.server = Some(server);
        Ok(())
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its certificate, and that of the authority it made for it.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.directory.join("certificates/apiserver.crt")
    }

    /// What the administrator is answered.
    ///
    /// # Errors
    /// The server refuses, with its words.
    pub fn call(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let (mut curl, patch) = (self.curl(ADMIN, path), "application/strategic-merge-patch+json");
        let kind = if method == "PATCH" { patch } else { "application/yaml" };
        curl.args(["-X", method, "-H", &format!("Content-Type: {kind}"), "--data-binary", "@-"]);
        let mut child = curl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("starting curl")?;
        child.stdin.take().context("curl has no stdin")?.write_all(body.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "curl ended with {}", output.status);
        let answer: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("{method} {path}: {}", String::from_utf8_lossy(&output.stdout)))?;
        if answer.get("status").is_some_and(|status| status == "Failure") {
            bail!("{method} {path}: {answer}");
        }
        Ok(answer)
    }

    /// The code of the answer to whoever has `token`.
    ///
    /// # Errors
    /// There is no answer.
    pub fn status(&self, token: &str, path: &str) -> Result<u16> {
        let output = run(self.curl(token, path).args(["-o", "/dev/null", "-w", "%{http_code}"]))?;
        Ok(String::from_utf8_lossy(&output.stdout).parse()?)
    }

    fn curl(&self, token: &str, path: &str) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-m", ANSWER_MAX, "-H", &format!("Authorization: Bearer {token}"), "--cacert"]);
        curl.arg(self.certificate()).arg(format!("https://127.0.0.1:{}{path}", self.port));
        curl
    }

    /// Makes everything in a manifest, document by document.
    ///
    /// # Errors
    /// The server refuses one.
    pub fn create(&self, manifest: &str) -> Result<()> {
        for document in manifest.split("\n---\n") {
            let word = |key: &str| document.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
            let (kind, group) =
                (word("kind:").context("no kind")?, word("apiVersion:").context("no version")?);
            let root = if group.contains('/') { format!("/apis/{group}") } else { format!("/api/{group}") };
            let namespace =
                word("  namespace:").map(|name| format!("/namespaces/{name}")).unwrap_or_default();
            self.call("POST", &format!("{root}{namespace}/{}s", kind.to_lowercase()), document)?;
        }
        Ok(())
    }

    /// A token of a service account, as the kubelet gets one for a pod.
    ///
    /// # Errors
    /// There is no such account.
    pub fn token(&self, namespace: &str, account: &str) -> Result<String> {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let request = "{apiVersion: authentication.k8s.io/v1, kind: TokenRequest, spec: {}}";
        let answer = self.call("POST", &path, request)?;
        let token = answer.pointer("/status/token").and_then(Value::as_str);
        token.map(str::to_owned).with_context(|| format!("no token in {answer}"))
    }

    /// Writes a kubeconfig for `token` and the server at `port`, which may be a wire to it; without the
    /// certificate the server cannot prove who it is.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn kubeconfig(&self, name: &str, token: &str, port: u16, is_trusted: bool) -> Result<PathBuf> {
        let path = self.directory.join(name);
        let authority = format!(", certificate-authority: {}", self.certificate().display());
        let authority = if is_trusted { &*authority } else { "" };
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, \
             user: u}}}}]\nclusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:{port}'{authority}}}}}]\n\
             users: [{{name: u, user: {{token: {token}}}}}]\n"
        );
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Waits until the server's watches have come as far as its database: what is asked of its memory is whole.
    ///
    /// # Errors
    /// It does not come so far.
    pub fn settle(&self, path: &str) -> Result<()> {
        let count = |query: &str| -> Result<usize> {
            let list = self.call("GET", &format!("{path}{query}"), "")?;
            Ok(list.pointer("/items").and_then(Value::as_array).map_or(0, Vec::len))
        };
        wait::until(READY_MAX, "the server's memory", || {
            Ok((count("?resourceVersion=0")? == count("")?).then_some(()))
        })
    }
}

/// One that nobody listens on now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
