//! The work: servers that run through all of it, and what is done with them. Each is a shell script of `script/`.

/// A container that serves until the end.
pub(crate) struct Server {
    /// Of the container, and the name by which others reach it.
    pub(crate) name: &'static str,
    pub(crate) script: &'static str,
    /// Docker's health check, every second.
    pub(crate) health: &'static str,
    pub(crate) user: &'static str,
}

/// What is done, in a container that ends with it or in a server's.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) script: &'static str,
    /// The server in which it is done; none: in a container of its own.
    pub(crate) within: Option<&'static str>,
}

const fn server(name: &'static str, script: &'static str, health: &'static str) -> Server {
    Server { name, script, health, user: "root" }
}

pub(crate) const SERVERS: [Server; 8] = [
    server(
        "mirror",
        "mirror.sh",
        "curl --fail --silent --show-error --output /dev/null http://127.0.0.1/apt/Packages",
    ),
    server("web", "web.sh", "curl -fsS http://127.0.0.1:8080/ >/dev/null || exit 1"),
    Server { user: "postgres", ..server("database", "postgres.sh", "pg_isready --host /tmp --quiet") },
    server("cache", "cache.sh", "redis-cli ping"),
    server("backup", "backup-server.sh", "test -s /run/rsyncd.pid"),
    server("code", "git-server.sh", "test -s /run/git.pid && test -s /run/sshd.pid"),
    server("logs", "log-server.sh", "test -s /run/rsyslogd.pid"),
    server("shipper", "log-agent.sh", "test -S /dev/log"),
];

const fn work(name: &'static str, script: &'static str) -> Work {
    Work { name, script, within: None }
}

/// In this order: the shop fills the database that is backed up.
pub(crate) const WORKS: [Work; 8] = [
    work("apt", "apt.sh"),
    work("pip", "pip.sh"),
    work("npm", "npm.sh"),
    work("shop", "shop.sh"),
    work("backup-job", "backup.sh"),
    work("build", "build.sh"),
    work("checkout", "git.sh"),
    Work { name: "logging", script: "log.sh", within: Some("shipper") },
];
