//! Deeds over sockets, none of which leaves the host.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::event::Timespec;
use rustix::fs::sendfile;
use rustix::net::sockopt;
use sensor_ebpf::wire::Kind;
use sensor_ebpf::wire::setting::trial;

use super::{BYTES, LOOPBACK_MAX, Proof, Prover, RUNTIME, has, unprovable, wait, whole};
use crate::ebpf::hook::Tier;

/// Port of name servers (RFC 1035, section 4.2).
const DNS: u16 = 53;
/// Second byte of the address in 127/8 that the agent answers from: any but those that name servers on
/// loopback commonly have (127.0.0.1, 127.0.0.53, 127.0.1.1).
const SERVER_NET: u8 = 53;

/// The two ends of a connection that is known to the kernel half as the agent's own.
struct Connection {
    /// Resets the connection when it is closed.
    client: TcpStream,
    listener: TcpListener,
}

impl Prover<'_> {
    /// Takes a connection; where only its state is traced, also bytes over it: with these it is told who
    /// took it.
    pub(super) fn accept(&mut self, address: IpAddr, tier: Tier) -> Proof {
        let is_told_by_traffic = has(tier, "tcp_state");
        let Connection { client, listener } = match self.connection(address) {
            Ok(connection) => connection,
            Err(error) => return unprovable(error),
        };
        let mut server = None;
        let proof = self.moves(Kind::NetworkAccept, || {
            let server = server.insert(take(&listener)?);
            if !is_told_by_traffic {
                return Ok(());
            }
            (&client).write_all(BYTES)?;
            server.read(&mut [0; BYTES.len()]).map(drop)
        });
        match server.map_or(Ok(()), |server| self.leave_out(&server)) {
            Ok(()) => proof,
            Err(error) => unprovable(error),
        }
    }

    /// Ends a connection by a reset, which leaves the state `ESTABLISHED` within the call.
    pub(super) fn close(&mut self, address: IpAddr) -> Proof {
        let ends = self.connection(address).and_then(|connection| {
            let server = take(&connection.listener)?;
            self.leave_out(&server)?;
            Ok((connection, server))
        });
        let (Connection { client, listener: _listener }, _server) = match ends {
            Ok(ends) => ends,
            Err(error) => return unprovable(error),
        };
        self.moves(Kind::NetworkClose, || {
            drop(client);
            Ok(())
        })
    }

    /// A connection whose end is counted as the agent's own. The cell may stay: a cookie is never given
    /// twice.
    fn connection(&mut self, address: IpAddr) -> io::Result<Connection> {
        let (client, listener) = connection(address)?;
        sockopt::set_socket_linger(&client, Some(Duration::ZERO))?;
        // Asking for the cookie also makes the socket have one.
        self.set(trial::SOCKET, sockopt::socket_cookie(&client)?)?;
        Ok(Connection { client, listener })
    }

    /// The end of the other half makes no record either.
    fn leave_out(&mut self, server: &TcpStream) -> io::Result<()> {
        self.set(trial::PEER, sockopt::socket_cookie(server)?)
    }

    /// Sends a datagram over each family; where sendfile has a hook of its own, by that too.
    pub(super) fn sent(&self, addresses: &[IpAddr], tier: Tier) -> Proof {
        let send = |socket: &UdpSocket| socket.send(BYTES).map(drop);
        let datagrams = addresses.iter().map(|address| self.to_itself(*address, send));
        let sends_pages = has(tier, "inet_sendpage") && !self.is_confined;
        let pages = sends_pages.then_some(addresses.first()).flatten().map(|address| {
            self.to_itself(*address, |socket| {
                let source = File::open("/proc/self/exe")?;
                Ok(sendfile(socket, source, None, BYTES.len()).map(drop)?)
            })
        });
        whole(datagrams.chain(pages))
    }

    fn to_itself(&self, address: IpAddr, act: impl FnOnce(&UdpSocket) -> io::Result<()>) -> Proof {
        match endless(address) {
            Ok(socket) => self.moves(Kind::NetworkFlow, || act(&socket)),
            Err(error) => unprovable(error),
        }
    }

    /// Receives a datagram over each family.
    pub(super) fn received(&self, addresses: &[IpAddr]) -> Proof {
        whole(addresses.iter().map(|address| {
            let sent = endless(*address).and_then(|socket| socket.send(BYTES).map(|_| socket));
            match sent {
                Ok(socket) => self.moves(Kind::NetworkFlow, || socket.recv(&mut [0; BYTES.len()]).map(drop)),
                Err(error) => unprovable(error),
            }
        }))
    }

    /// Lets go of a socket.
    pub(super) fn release(&self, address: IpAddr) -> Proof {
        match endless(address) {
            Ok(socket) => self.moves(Kind::NetworkClose, || {
                drop(socket);
                Ok(())
            }),
            Err(error) => unprovable(error),
        }
    }

    /// Connects to a socket named as a container runtime's; where only traffic is traced, also sends.
    pub(super) fn unix(&self, directory: &Path, tier: Tier) -> Proof {
        let is_told_by_traffic = has(tier, "unix_traffic");
        let path = directory.join(RUNTIME);
        let listener = match UnixListener::bind(&path) {
            Ok(listener) => listener,
            Err(error) => return unprovable(error),
        };
        let proof = self.moves(Kind::NetworkUnix, || {
            let mut client = UnixStream::connect(&path)?;
            if is_told_by_traffic { client.write_all(BYTES) } else { Ok(()) }
        });
        drop(listener);
        // The name would be taken for the next tier.
        fs::remove_file(path).map_or_else(unprovable, |()| proof)
    }

    /// Asks a name server that is the agent itself.
    pub(super) fn query(&mut self) -> Proof {
        match self.name_server() {
            Ok((client, server)) => {
                let proof = self.moves(Kind::NetworkDns, || client.send(BYTES).map(drop));
                // Nothing gathers there; one that did not come is the answer already.
                let _ = server.recv(&mut [0; BYTES.len()]);
                proof
            }
            Err(error) => unprovable(error),
        }
    }

    /// Answers as a name server what nobody asked.
    pub(super) fn answer(&mut self) -> Proof {
        match self.name_server() {
            Ok((client, server)) => self.moves(Kind::NetworkDns, || {
                server.send(BYTES)?;
                client.recv(&mut [0; BYTES.len()]).map(drop)
            }),
            Err(error) => unprovable(error),
        }
    }

    /// A client, whose messages are counted as the agent's own, and its name server, both on loopback. They are kept:
    /// while the agent has that socket its cookie may stay in a map that nobody can write any more.
    fn name_server(&mut self) -> io::Result<(UdpSocket, UdpSocket)> {
        if self.trials.names.is_none() {
            let (client, server) = name_server()?;
            self.set(trial::SOCKET, sockopt::socket_cookie(&client)?)?;
            self.trials.names = Some((client, server));
        }
        let (client, server) = self.trials.names.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        Ok((client.try_clone()?, server.try_clone()?))
    }
}

/// Connected to each other, so that neither takes anything from anybody else.
fn name_server() -> io::Result<(UdpSocket, UdpSocket)> {
    let [.., high, low] = std::process::id().to_be_bytes();
    let server = UdpSocket::bind((Ipv4Addr::new(127, SERVER_NET, high, low), DNS))?;
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    client.connect(server.local_addr()?)?;
    server.connect(client.local_addr()?)?;
    client.set_read_timeout(Some(LOOPBACK_MAX))?;
    server.set_read_timeout(Some(LOOPBACK_MAX))?;
    Ok((client, server))
}

/// A TCP connection to a listener of the agent's own; when that is closed, it resets the connection.
fn connection(address: IpAddr) -> io::Result<(TcpStream, TcpListener)> {
    let listener = TcpListener::bind(SocketAddr::new(address, 0))?;
    Ok((TcpStream::connect_timeout(&listener.local_addr()?, LOOPBACK_MAX)?, listener))
}

/// Connects, and that is all. A datagram socket, which has no end that would be told.
pub(super) fn connect(address: IpAddr) -> io::Result<()> {
    endless(address).map(drop)
}

/// Takes a connection that is there or about to be.
fn take(listener: &TcpListener) -> io::Result<TcpStream> {
    let bound = Timespec::try_from(LOOPBACK_MAX).map_err(io::Error::other)?;
    wait(listener, &bound)?;
    let (server, _) = listener.accept()?;
    server.set_read_timeout(Some(LOOPBACK_MAX))?;
    Ok(server)
}

/// A datagram from an unconnected socket to itself.
pub(super) fn datagram(address: IpAddr) -> io::Result<()> {
    let socket = UdpSocket::bind(SocketAddr::new(address, 0))?;
    socket.send_to(BYTES, socket.local_addr()?).map(drop)
}

/// A datagram socket connected to itself.
fn endless(address: IpAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddr::new(address, 0))?;
    socket.connect(socket.local_addr()?)?;
    socket.set_read_timeout(Some(LOOPBACK_MAX))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn trials_on_loopback_work() {
        datagram(V4).unwrap();
        let (mut client, listener) = connection(V4).unwrap();
        assert_ne!(sockopt::socket_cookie(&client).unwrap(), 0);
        client.write_all(BYTES).unwrap();
        let mut got = [0; BYTES.len()];
        take(&listener).unwrap().read_exact(&mut got).unwrap();
        assert_eq!(got, BYTES);
        let socket = endless(V4).unwrap();
        socket.send(BYTES).unwrap();
        assert_eq!(socket.recv(&mut got).unwrap(), BYTES.len());
    }

    #[test]
    fn a_connection_that_does_not_come_is_not_waited_for() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert_eq!(take(&listener).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
