//! A network namespace of the tests' own, with one bridge: containers reach servers, nothing of the
//! machine's network changes.
//!
//! The namespace has no name and no mount. A process that only reads a pipe keeps it; when the tests
//! end, in whichever way, the pipe closes, the process ends and the kernel takes all of it down.

use std::fs::{self, File};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::child::{self, bound, run};
use crate::wait;

/// Address of the servers on the bridge: RFC 1918, seen by nobody outside the namespace.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 201, 0, 1);

/// The same over IPv6: RFC 4193.
pub const ADDRESS_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x201, 0, 0, 0, 0, 0, 1);

/// Where containers get theirs from.
pub const PREFIX_V6: &str = "fd00:201::/64";

/// The bridge's name inside the namespace.
pub const BRIDGE: &str = "tw0";

/// Making a namespace takes milliseconds.
const READY_MAX: Duration = Duration::from_secs(5);

/// A connect within one machine is answered or refused at once.
const CONNECT_MAX: Duration = Duration::from_millis(500);

/// The namespace, for as long as this value lives.
#[derive(Debug)]
pub struct Network {
    keeper: Child,
}

impl Network {
    /// Makes the namespace with its loopback and bridge up.
    ///
    /// # Errors
    /// Not root, or `ip`, `unshare`, `nsenter` are missing.
    pub fn start() -> Result<Self> {
        let keeper = Command::new("unshare")
            .args(["--net", "--", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("starting unshare")?;
        let network = Self { keeper };
        let ours = fs::read_link("/proc/self/ns/net")?;
        wait::until(READY_MAX, "a network namespace", || {
            Ok(fs::read_link(network.path()).ok().filter(|theirs| *theirs != ours))
        })?;
        let (address, address_v6) = (format!("{ADDRESS}/24"), format!("{ADDRESS_V6}/64"));
        for arguments in [
            ["link", "set", "lo", "up"].as_slice(),
            &["link", "add", BRIDGE, "type", "bridge"],
            &["address", "add", &address, "dev", BRIDGE],
            // Nobody else is there to have the same address, and a bridge without ports never finds out.
            &["address", "add", &address_v6, "dev", BRIDGE, "nodad"],
            &["link", "set", BRIDGE, "up"],
        ] {
            run(network.inside("ip").args(arguments))?;
        }
        Ok(network)
    }

    /// A command that runs `program` in the namespace and dies with the tests.
    #[must_use]
    pub fn inside(&self, program: &str) -> Command {
        let mut command = bound("nsenter");
        command.arg(format!("--net={}", self.path().display())).args(["--", program]);
        command
    }

    /// Whether something on the bridge accepts connections at `port`.
    ///
    /// # Errors
    /// The namespace cannot be entered.
    pub fn accepts(&self, port: u16) -> Result<bool> {
        let address = SocketAddr::from((ADDRESS, port));
        self.within(|| Ok(TcpStream::connect_timeout(&address, CONNECT_MAX).is_ok()))
    }

    /// Does `work` in the namespace: a socket made there stays there.
    ///
    /// # Errors
    /// The namespace cannot be entered, or `work` fails.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let namespace = File::open(self.path())?;
        // A thread of its own: entering a namespace is for good.
        std::thread::scope(|scope| {
            let working = scope.spawn(|| -> Result<T> {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
                work()
            });
            working.join().map_err(|_| anyhow!("the thread in the namespace panicked"))?
        })
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.keeper.id()))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Nobody is left to tell; the kernel frees the namespace with its last process.
        drop(child::end(&mut self.keeper, READY_MAX));
    }
}
