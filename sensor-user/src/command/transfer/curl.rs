//! curl: what each URL of a command line is asked for (curl 8.16, <https://curl.se/docs/manpage.html>).
//!
//! A URL is fetched unless `-T` or the body sends a file there. A body that is no file, a method that fetches
//! nothing or a form is a call of an interface: it moves a file only where the answer is kept.

mod table;

use super::super::option::{GNU, Options, Word};
use super::place::{is_loopback, split_port};
use super::{Direction, Remote, Transfer};

pub(super) const OPTIONS: Options = Options { short: table::SHORT, long: table::LONG, style: GNU };

/// What stands between `--next` and `--next`.
#[derive(Debug, Default)]
struct Operation<'a> {
    urls: Vec<&'a str>,
    /// `-T`: the first for the first URL, and so on.
    uploads: Vec<&'a str>,
    /// Files that a body, a form or a URL is made of.
    bodies: Vec<&'a str>,
    /// Where answers go: the first URL's, and so on. None: under a name that the URL or the server tells.
    outputs: Vec<Option<&'a str>>,
    /// All answers are kept, or their traces.
    keeps: bool,
    /// It asks for something to be done.
    calls: bool,
    scheme: Option<&'a str>,
    /// Goes through a socket of this machine.
    is_local: bool,
    /// Somebody between, or in the place of the host.
    others: Vec<&'a str>,
}

/// What is thrown away.
const NULL: &str = "/dev/null";

pub(super) fn read(words: &[String]) -> Transfer {
    let mut transfer = Transfer::client("curl");
    let mut operation = Operation::default();
    let mut file_variables: Vec<&str> = Vec::new();
    for word in OPTIONS.walk(words) {
        match word {
            Word::Operand(url) => operation.urls.push(url),
            // It tells of itself, and does nothing else.
            Word::Option("V" | "version" | "h" | "help" | "M" | "manual", _) => {
                return Transfer::client("curl");
            }
            Word::Option(":" | "next", _) => std::mem::take(&mut operation).finish(&mut transfer),
            Word::Option("variable", Some(value)) => file_variables.extend(named_file(value)),
            Word::Option(name, value) => {
                let value = value.unwrap_or_default();
                match name.strip_prefix("expand-") {
                    Some(name @ ("output" | "config" | "proxy")) => operation.option(name, value),
                    Some(name) => {
                        operation.bodies.append(&mut file_variables);
                        operation.option(name, value);
                    }
                    None => operation.option(name, value),
                }
            }
        }
    }
    operation.finish(&mut transfer);
    transfer
}

impl<'a> Operation<'a> {
    fn option(&mut self, name: &str, value: &'a str) {
        match name {
            "url" => self.urls.push(value),
            "T" | "upload-file" => self.uploads.push(value),
            "d" | "data" | "data-ascii" | "data-binary" | "json" => {
                self.calls = true;
                self.bodies.extend(value.strip_prefix('@'));
            }
            "data-urlencode" => {
                self.calls = true;
                self.bodies.extend(named_file(value));
            }
            "url-query" => self.bodies.extend(named_file(value).filter(|_| !value.starts_with('+'))),
            "F" | "form" => {
                self.calls = true;
                self.bodies.extend(form_file(value));
            }
            "data-raw" | "form-string" | "I" | "head" => self.calls = true,
            "X" | "request" => self.calls = !value.is_empty() && !value.eq_ignore_ascii_case("GET"),
            "o" | "output" => self.outputs.push(Some(value)),
            "out-null" => self.outputs.push(Some(NULL)),
            "O" | "remote-name" => self.outputs.push(None),
            "remote-name-all" => self.keeps = true,
            // Answers stand in a trace, and headers can carry as much.
            "trace" | "trace-ascii" | "D" | "dump-header" => self.keeps |= value != NULL && value != "-",
            "proto-default" => self.scheme = Some(value),
            "unix-socket" | "abstract-unix-socket" => self.is_local = true,
            "x" | "proxy" | "preproxy" | "socks4" | "socks4a" | "socks5" | "socks5-hostname" | "proxy1.0" => {
                self.others.extend(Some(value).filter(|value| !value.is_empty()));
            }
            "connect-to" | "resolve" => self.others.extend(instead(value)),
            _ => {}
        }
    }

    fn finish(self, transfer: &mut Transfer) {
        let remotes = self.urls.iter().filter(|url| !is_file(url)).count();
        for url in &self.urls {
            self.place(url, transfer);
        }
        if remotes == 0 {
            return;
        }
        let uploads = self.uploads.iter().filter(|file| !file.is_empty()).count();
        let sends = uploads > 0 || !self.bodies.is_empty();
        if sends {
            transfer.moves(Direction::Out);
        }
        let fetches = self.bodies.is_empty() && self.urls.len() > uploads && self.fetches();
        if fetches {
            transfer.moves(Direction::In);
        }
        let sent = self.uploads.iter().chain(&self.bodies).copied();
        let kept = self.outputs.iter().flatten().copied().filter(|path| *path != NULL);
        let shown = (fetches && self.outputs.len() < self.urls.len() && !self.keeps).then_some("-");
        for path in sent.chain(kept).chain(shown) {
            transfer.add_local(path);
        }
        for other in &self.others {
            let place = other.split_once("://").map_or(*other, |(_, place)| place);
            transfer.weigh(Remote::authority(place).is_loopback());
        }
    }

    /// An answer is wanted for more than its being there.
    fn fetches(&self) -> bool {
        let kept = |output: &Option<&str>| output.is_none_or(|path| path != NULL && path != "-");
        if self.calls {
            return self.keeps || self.outputs.iter().any(kept);
        }
        let discards = |output: &Option<&str>| *output == Some(NULL);
        let is_probe = self.outputs.len() >= self.urls.len() && self.outputs.iter().all(discards);
        self.keeps || !is_probe
    }

    fn place(&self, url: &str, transfer: &mut Transfer) {
        if is_file(url) {
            transfer.add_local(url);
            return;
        }
        let (scheme, mut remote) = match Remote::url(url) {
            Some(found) => found,
            None => (self.scheme.unwrap_or_else(|| guessed(url)), Remote::authority(url)),
        };
        if self.is_local {
            remote = Remote::opaque(url);
            transfer.weigh(true);
            transfer.add_scheme(scheme);
            transfer.add_named(remote);
            return;
        }
        transfer.add_remote(scheme, remote);
    }
}

fn is_file(url: &str) -> bool {
    url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"))
}

/// The scheme of a URL without one: by how the host's name begins (curl(1), "URL").
fn guessed(url: &str) -> &'static str {
    let known = ["ftp", "dict", "ldap", "imap", "smtp", "pop3"];
    let is_it = |scheme: &&&str| {
        let rest = url.get(..scheme.len()).filter(|begin| begin.eq_ignore_ascii_case(scheme));
        rest.is_some() && url.get(scheme.len()..).is_some_and(|rest| rest.starts_with('.'))
    };
    known.iter().find(is_it).copied().unwrap_or("http")
}

/// The file of `@file` and `name@file`; `=` first makes the rest a literal (`--data-urlencode`, `--variable`).
fn named_file(value: &str) -> Option<&str> {
    let at = value.find(['=', '@'])?;
    value.get(at..)?.strip_prefix('@')
}

/// The file of `name=@file` and `name=<file`, without what is said of its kind; the first of several.
fn form_file(value: &str) -> Option<&str> {
    let (_, content) = value.split_once('=')?;
    let file = content.strip_prefix(['@', '<'])?;
    let quoted = file.strip_prefix('"').and_then(|rest| rest.split('"').next());
    Some(quoted.or_else(|| file.split([';', ',']).next()).unwrap_or(file))
}

/// What stands in the place of a host: `host:port:host:port`, `host:port:address`. None: the host itself.
fn instead(value: &str) -> Option<&str> {
    let place = value.splitn(3, ':').nth(2)?;
    let (host, _) = split_port(place);
    (!host.is_empty() && (!is_loopback(host) || !place.is_empty())).then_some(place)
}
