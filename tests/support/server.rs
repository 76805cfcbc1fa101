//! The other side of every transfer: nginx with PUT, an rsync daemon, sshd, and bare sockets.
//!
//! They run from the lab's own root file system but not in a container, so that what they do is never
//! mistaken for what a container does. All hand out and take in the same two folders.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::bare::Bare;
use crate::child::{Child, run};
use crate::network::Network;

/// nginx.
pub const HTTP: u16 = 80;
/// `rsync --daemon`; its one module is `lab`.
pub const RSYNC: u16 = 873;
/// sshd, for scp, sftp and rsync over ssh.
pub const SSH: u16 = 22;

/// The folder of all three, as they see it. Below it: `download/payload.bin` and `upload/`.
pub const FOLDER: &str = "/srv/lab";

/// Each is up within milliseconds.
const READY_MAX: Duration = Duration::from_secs(10);

const NGINX: &str = "\
user root;
daemon off;
pid /run/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  server {
    listen 80;
    listen [::]:80;
    root /srv/lab;
    client_max_body_size 64m;
    location /upload/ { dav_methods PUT; }
  }
}
";

const RSYNCD: &str = "\
pid file = /run/rsyncd.pid
use chroot = no
uid = root
gid = root
[lab]
path = /srv/lab
read only = no
";

const SSHD: &str = "\
Port 22
HostKey /etc/lab/host_key
AuthorizedKeysFile /etc/lab/client_key.pub
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
UseDNS no
PidFile none
Subsystem sftp /usr/lib/openssh/sftp-server
";

/// Runs the rest of its arguments in the root `$0`, with the machine's devices: an image carries none,
/// and a directory for temporary files may refuse them. The mount is seen by this process only.
const IN_ROOT: &str = r#"mount --rbind /dev "$0/dev" && exec chroot "$0" "$@""#;

/// All of them, up.
#[derive(Debug)]
pub struct Servers {
    /// The lab's image, unpacked, with what the servers have put there.
    pub root: PathBuf,
    /// The private half of the key that sshd lets in.
    pub client_key: PathBuf,
    _running: Vec<Child>,
    _bare: Bare,
}

impl Servers {
    /// Unpacks the lab's image under `directory` and starts all of them in `network`.
    ///
    /// # Errors
    /// The image lacks a server, or one does not come up.
    pub fn start(directory: &Path, image: &Path, network: &Network, payload: &[u8]) -> Result<Self> {
        let root = directory.join("server");
        fs::create_dir_all(&root)?;
        run(Command::new("tar").arg("-xf").arg(image).arg("-C").arg(&root))?;
        for folder in ["etc/lab", "srv/lab/download", "srv/lab/upload", "run/sshd", "dev"] {
            fs::create_dir_all(root.join(folder))?;
        }
        fs::set_permissions(root.join("run/sshd"), Permissions::from_mode(0o755))?;
        fs::write(root.join("srv/lab/download/payload.bin"), payload)?;
        fs::write(root.join("etc/lab/nginx.conf"), NGINX)?;
        fs::write(root.join("etc/lab/rsyncd.conf"), RSYNCD)?;
        // The same module for `host::module` through a remote shell, where root's daemon looks by itself.
        fs::write(root.join("etc/rsyncd.conf"), RSYNCD)?;
        fs::write(root.join("etc/lab/sshd_config"), SSHD)?;
        for key in ["host_key", "client_key"] {
            let arguments = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f"];
            run(inside(network, &root).args(arguments).arg(format!("/etc/lab/{key}")))?;
        }

        let start = |name, port, arguments: &[&str]| -> Result<Child> {
            let mut command = inside(network, &root);
            command.args(arguments);
            let mut server = Child::start(name, command, directory.join(format!("{name}.log")))?;
            server.await_ready(READY_MAX, "an accepted connection", || network.accepts(port))?;
            Ok(server)
        };
        let running = vec![
            start("nginx", HTTP, &["/usr/sbin/nginx", "-e", "stderr", "-c", "/etc/lab/nginx.conf"])?,
            start(
                "rsyncd",
                RSYNC,
                &["/usr/bin/rsync", "--daemon", "--no-detach", "--config=/etc/lab/rsyncd.conf"],
            )?,
            start("sshd", SSH, &["/usr/sbin/sshd", "-D", "-e", "-f", "/etc/lab/sshd_config"])?,
        ];
        let bare = Bare::start(network, payload, &root.join("srv/lab/upload"))?;
        Ok(Self { client_key: root.join("etc/lab/client_key"), root, _running: running, _bare: bare })
    }

    /// What a client put at `upload/<name>`, if it did.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn uploaded(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.root.join("srv/lab/upload").join(name);
        Ok(if path.exists() { Some(fs::read(path)?) } else { None })
    }
}

/// A command in `network` whose root is `root`; its program comes as the first argument.
fn inside(network: &Network, root: &Path) -> Command {
    let mut command = network.inside("unshare");
    command.args(["--mount", "--", "sh", "-c", IN_ROOT]).arg(root);
    command
}
