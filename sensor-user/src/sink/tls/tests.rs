//! What a receiver may answer a handshake with: bytes that are TLS, were, or never were.

use std::io::{self, Read as _};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConfig, ServerConnection, SupportedProtocolVersion};

use super::*;
use crate::sink::syslog::tests::tls::authority::{Authority, server};

const HOST: &str = "receiver.invalid";

/// What believes this authority, or one certificate of it.
fn connector(authority: &Authority, fingerprint: Option<Fingerprint>) -> Connector {
    let folder = tempfile::tempdir().unwrap();
    let ca = Some(authority.write(folder.path()));
    Connector::load(&TlsSettings { ca, identity: None, fingerprint }).unwrap()
}

/// A connection that has said its first words.
fn client(connector: &Connector) -> (ClientConnection, Vec<u8>, Arc<Answer>) {
    let (config, answer) = connector.session(&[]);
    let mut client = ClientConnection::new(config, ServerName::try_from(HOST).unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    (client, hello, answer)
}

/// What a server with a certificate of this name says to a first word.
fn flight(
    authority: &Authority,
    name: &str,
    version: &'static SupportedProtocolVersion,
    hello: &[u8],
) -> Vec<u8> {
    let leaf = authority.sign(&server(name));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der()], leaf.key())
        .unwrap();
    let mut server = ServerConnection::new(Arc::new(config)).unwrap();
    server.read_tls(&mut &*hello).unwrap();
    server.process_new_packets().unwrap();
    let mut flight = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut flight).unwrap();
    }
    flight
}

/// Gives the answer to a client; whether it believes it, or why not.
fn answered(client: &mut ClientConnection, mut bytes: &[u8]) -> io::Result<bool> {
    while !bytes.is_empty() {
        if client.read_tls(&mut bytes)? == 0 {
            break;
        }
        client.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    }
    Ok(!client.is_handshaking())
}

/// No answer is believed that was made for another handshake, whatever of it is changed; what is said of it is fit for a
/// terminal.
#[test]
fn fuzzed_answers_are_not_believed() {
    let authority = Authority::new("Tests");
    let connectors = [connector(&authority, None), connector(&authority, Some(Fingerprint::of(b"another")))];
    let (_, hello, _) = client(&connectors[0]);
    let mut seeds = vec![
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        b"220 mail ready\r\n".to_vec(),
        // Alerts: a version of TLS it does not have, and that a certificate is wanted (RFC 8446 section 6).
        vec![21, 3, 3, 0, 2, 2, 70],
        vec![21, 3, 3, 0, 2, 2, 116],
    ];
    for version in [&TLS13, &TLS12] {
        seeds.extend(
            [HOST, "other.invalid", "192.0.2.1"].map(|name| flight(&authority, name, version, &hello)),
        );
    }
    let mut certificates = 0;
    crate::fuzz::run(&seeds, |bytes, dice| {
        let (mut client, _, answer) = client(&connectors[dice.roll(connectors.len())]);
        match answered(&mut client, bytes) {
            Ok(is_believed) => assert!(!is_believed),
            Err(error) => {
                let fault = Fault::find(&error, answer.request()).unwrap();
                certificates += usize::from(matches!(fault, Fault::OtherName { .. } | Fault::NotPinned(_)));
                let told = fault.to_string();
                assert!(!told.contains(char::is_control), "{told:?}");
            }
        }
        // What it says after the handshake is nothing before it.
        let mut rest = [0; 16];
        assert!(client.reader().read(&mut rest).map_or(0, |count| count) == 0);
    });
    assert!(certificates > 0, "no certificate was looked at");
}
