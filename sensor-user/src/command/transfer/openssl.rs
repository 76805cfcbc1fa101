//! openssl s_client and s_server (OpenSSL 3.0, `openssl s_client -help`).

use super::super::option::{OPENSSL, Options, Word};
use super::place::is_loopback;
use super::{Direction, Remote, Transfer};

const CLIENT: Options = Options {
    short: "",
    long: &[
        "connect=",
        "host=",
        "port=",
        "proxy=",
        "unix=",
        "engine=",
        "ssl_client_engine=",
        "ssl_config=",
        "ctlogfile=",
        "bind=",
        "proxy_user=",
        "proxy_pass=",
        "maxfraglen=",
        "max_send_frag=",
        "split_send_frag=",
        "max_pipelines=",
        "read_buf=",
        "cert=",
        "certform=",
        "cert_chain=",
        "key=",
        "keyform=",
        "pass=",
        "verify=",
        "nameopt=",
        "CApath=",
        "CAfile=",
        "CAstore=",
        "requestCAfile=",
        "dane_tlsa_domain=",
        "dane_tlsa_rrdata=",
        "psk_identity=",
        "psk=",
        "psk_session=",
        "name=",
        "sess_out=",
        "sess_in=",
        "starttls=",
        "xmpphost=",
        "msgfile=",
        "keymatexport=",
        "keymatexportlen=",
        "keylogfile=",
        "servername=",
        "serverinfo=",
        "alpn=",
        "mtu=",
        "nextprotoneg=",
        "early_data=",
        "use_srtp=",
        "srpuser=",
        "srppass=",
        "srp_strength=",
        "rand=",
        "writerand=",
        "sigalgs=",
        "client_sigalgs=",
        "groups=",
        "curves=",
        "named_curve=",
        "cipher=",
        "ciphersuites=",
        "min_protocol=",
        "max_protocol=",
        "record_padding=",
        "policy=",
        "purpose=",
        "verify_name=",
        "verify_depth=",
        "auth_level=",
        "attime=",
        "verify_hostname=",
        "verify_email=",
        "verify_ip=",
        "CRL=",
        "CRLform=",
        "chainCAfile=",
        "chainCApath=",
        "chainCAstore=",
        "verifyCAfile=",
        "verifyCApath=",
        "verifyCAstore=",
        "xkey=",
        "xcert=",
        "xchain=",
        "xcertform=",
        "xkeyform=",
        "provider=",
        "provider-path=",
        "propquery=",
    ],
    style: OPENSSL,
};
const SERVER: Options = Options {
    short: "",
    long: &[
        "accept=",
        "port=",
        "unix=",
        "context=",
        "naccept=",
        "Verify=",
        "verify=",
        "cert=",
        "cert2=",
        "key=",
        "key2=",
        "certform=",
        "keyform=",
        "pass=",
        "dcert=",
        "dkey=",
        "dpass=",
        "CAfile=",
        "CApath=",
        "CAstore=",
        "dhparam=",
        "cipher=",
        "ciphersuites=",
        "servername=",
        "alpn=",
        "psk=",
        "psk_identity=",
        "psk_hint=",
        "id_prefix=",
        "keylogfile=",
        "max_early_data=",
        "recv_max_early_data=",
        "rand=",
        "cert_chain=",
        "chainCAfile=",
        "chainCApath=",
        "verifyCAfile=",
        "verifyCApath=",
        "sigalgs=",
        "groups=",
    ],
    style: OPENSSL,
};

/// None: openssl is asked for something else.
pub(super) fn read(words: &[String]) -> Option<Transfer> {
    let (command, words) = words.split_first()?;
    match command.as_str() {
        "s_client" => Some(client(words)),
        "s_server" => Some(server(words)),
        _ => None,
    }
}

/// Without `-quiet` it shows the handshake: that is how certificates are looked at.
fn client(words: &[String]) -> Transfer {
    let mut transfer = Transfer::client("openssl");
    let (mut host, mut port, mut place, mut is_pipe, mut is_unix) = (None, None, None, false, false);
    for word in CLIENT.walk(words) {
        match word {
            Word::Option("help", _) => return Transfer::client("openssl"),
            Word::Option("connect", value) => place = value,
            Word::Operand(value) => place = Some(value),
            Word::Option("host", value) => host = value,
            Word::Option("port", value) => port = value,
            Word::Option("unix", _) => is_unix = true,
            Word::Option("quiet" | "ign_eof", _) => is_pipe = true,
            Word::Option("proxy", Some(proxy)) => transfer.weigh(Remote::authority(proxy).is_loopback()),
            Word::Option(..) => {}
        }
    }
    if is_unix {
        return transfer;
    }
    match (place, host, port) {
        (Some(place), ..) => transfer.add_remote("tls", Remote::authority(place)),
        // What is left out is the default (openssl-s_client(1)).
        (None, None, None) => transfer.add_remote("tls", Remote::host("localhost", Some("4433"))),
        (None, host, port) => {
            transfer.add_remote("tls", Remote::host(host.unwrap_or("localhost"), port.or(Some("4433"))));
        }
    }
    if is_pipe {
        transfer.moves(Direction::Both);
    }
    transfer
}

fn server(words: &[String]) -> Transfer {
    let mut transfer = Transfer::server("openssl");
    let (mut bind, mut serves) = (None, false);
    for word in SERVER.walk(words) {
        match word {
            Word::Option("help", _) => return Transfer::server("openssl"),
            Word::Option("accept", value) => bind = value.and_then(|place| place.rsplit_once(':')),
            // The files of its directory.
            Word::Option("WWW" | "HTTP" | "www", _) => serves = true,
            Word::Option(..) | Word::Operand(_) => {}
        }
    }
    transfer.add_scheme("tls");
    transfer.listens = true;
    transfer.weigh(bind.is_some_and(|(host, _)| is_loopback(host)));
    transfer.moves(if serves { Direction::Out } else { Direction::Both });
    transfer
}
