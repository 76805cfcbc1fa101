//! Debian's rsyslogd, with its packages rsyslog-gnutls and rsyslog-relp.

use super::{Kind, MESSAGE_MAX, Place, Prepared};
use crate::child::{bound, find};
use crate::rsyslog::output;

pub(super) fn command(place: &Place<'_>) -> Prepared {
    let program = find(&["/usr/sbin/rsyslogd"], "install rsyslog")?;
    let (authority, ip, port) = (place.authority, place.address.ip(), place.address.port());
    let (ca, certificate, key) =
        (authority.ca.display(), authority.certificate.display(), authority.key.display());
    let input = match place.kind {
        Kind::RsyslogTls => format!(
            "global(defaultNetstreamDriver=\"gtls\" defaultNetstreamDriverCAFile=\"{ca}\" \
             defaultNetstreamDriverCertFile=\"{certificate}\" defaultNetstreamDriverKeyFile=\"{key}\")\n\
             module(load=\"imtcp\" streamDriver.name=\"gtls\" streamDriver.mode=\"1\" streamDriver.authMode=\"anon\")\n\
             input(type=\"imtcp\" address=\"{ip}\" port=\"{port}\")"
        ),
        Kind::RsyslogRelp => format!(
            "module(load=\"imrelp\")\n\
             input(type=\"imrelp\" address=\"{ip}\" port=\"{port}\" maxDataSize=\"{MESSAGE_MAX}\")"
        ),
        Kind::RsyslogRelps => format!(
            "module(load=\"imrelp\" tls.tlslib=\"openssl\")\n\
             input(type=\"imrelp\" address=\"{ip}\" port=\"{port}\" maxDataSize=\"{MESSAGE_MAX}\" tls=\"on\" \
             tls.caCert=\"{ca}\" tls.myCert=\"{certificate}\" tls.myPrivKey=\"{key}\")"
        ),
        Kind::RsyslogTcp | Kind::SyslogNgTcp | Kind::SyslogNgTls => {
            format!("module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"{ip}\" port=\"{port}\")")
        }
    };
    // A message that was read, or acknowledged, is in the queue. One in memory is lost with the daemon; a direct queue has
    // the file written first.
    let settings = place.write(&format!(
        "global(workDirectory=\"{directory}\" maxMessageSize=\"{MESSAGE_MAX}\")\n\
         main_queue(queue.type=\"Direct\")\n{input}\n{output}",
        directory = place.directory.display(),
        output = output(place.messages),
    ))?;
    let mut command = bound(program);
    command.arg("-n").arg("-f").arg(settings).arg("-i").arg(place.directory.join("pid"));
    Ok(command)
}
