//! `HOST:PORT`, as it stands in the address of every receiver (RFC 3986 section 3.2, without a user).

/// `host`, `host:port`, `[::1]:port`; without a port the one that is usual.
///
/// # Errors
/// Why it is none, as what follows "it is no receiver: ".
pub(super) fn authority(text: &str, usual: u16) -> Result<(String, u16), &'static str> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']').ok_or("a bracket is not closed")?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| "between the brackets stands no IPv6 address")?;
            (host, rest)
        }
        None => match text.find(':') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        },
    };
    let port = match rest.strip_prefix(':') {
        Some(port) if port.contains(':') => return Err("an IPv6 address stands in brackets"),
        Some(port) => {
            port.parse().ok().filter(|port| *port != 0).ok_or("its port is no number from 1 to 65535")?
        }
        None if rest.is_empty() => usual,
        None => return Err("behind the address stands something else than a port"),
    };
    if host.is_empty() {
        return Err("it names no host");
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte)) {
        return Err("its host holds a character that no host name has");
    }
    Ok((host.to_owned(), port))
}

/// The same as text: an IPv6 address stands in brackets.
pub(super) fn shown(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
