//! Debian's syslog-ng from the lab, with the loader and the libraries that lie beside it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use super::{Kind, MESSAGE_MAX, Place, Prepared};
use crate::child::bound;
use crate::world::artefact;

/// Under rsyslog's names, so that a test need not know who received it. `format-json` quotes and escapes.
const TEMPLATE: &str = "$(format-json timereported=$ISODATE hostname=$HOST app-name=$PROGRAM procid=$PID msgid=$MSGID \
     syslogfacility-text=$FACILITY syslogseverity-text=$LEVEL structured-data=$SDATA msg=$MESSAGE)\\n";

pub(super) fn command(place: &Place<'_>) -> Prepared {
    let root = artefact("TIDEWAITER_LAB", "target/lab", "cargo xtask setup")?.join("syslog-ng");
    let libraries = root.join("lib/x86_64-linux-gnu");
    let loader = libraries.join("ld-linux-x86-64.so.2");
    ensure!(loader.is_file(), "the lab has no {}: make it with `cargo xtask setup`", loader.display());
    let modules = modules(&root)?;
    let paths = [root.join("usr/lib/x86_64-linux-gnu"), libraries, root.join("usr/lib/syslog-ng")];
    let paths = std::env::join_paths(paths)?;

    let (authority, ip, port) = (place.authority, place.address.ip(), place.address.port());
    let transport = match place.kind {
        Kind::SyslogNgTls => format!(
            "transport(\"tls\") tls(cert-file(\"{}\") key-file(\"{}\") peer-verify(optional-untrusted))",
            authority.certificate.display(),
            authority.key.display()
        ),
        Kind::RsyslogTcp | Kind::RsyslogTls | Kind::RsyslogRelp | Kind::RsyslogRelps | Kind::SyslogNgTcp => {
            "transport(\"tcp\")".to_owned()
        }
    };
    let version = modules.file_name().unwrap_or_default().display();
    let settings = place.write(&format!(
        "@version: {version}\n\
         options {{ keep-hostname(yes); frac-digits(6); log-msg-size({MESSAGE_MAX}); stats-freq(0); }};\n\
         source in {{ syslog(ip(\"{ip}\") port({port}) {transport}); }};\n\
         destination out {{ file(\"{messages}\" template(\"{TEMPLATE}\")); }};\n\
         log {{ source(in); destination(out); }};\n",
        messages = place.messages.display(),
    ))?;
    let mut command = bound(loader);
    command.arg("--library-path").arg(paths).arg(root.join("usr/sbin/syslog-ng"));
    command.args(["--foreground", "--stderr", "--no-caps"]).arg("--module-path").arg(modules);
    command.arg("--cfgfile").arg(settings);
    for (option, file) in [("--persist-file", "persist"), ("--control", "control"), ("--pidfile", "pid")] {
        command.arg(option).arg(place.directory.join(file));
    }
    Ok(command)
}

/// The folder of its modules, which has the name of its version.
fn modules(root: &std::path::Path) -> Result<PathBuf> {
    let place = root.join("usr/lib/syslog-ng");
    let folders = fs::read_dir(&place).with_context(|| format!("reading {}", place.display()))?;
    let mut folders = folders.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir());
    folders.next().with_context(|| format!("{} has no modules", place.display()))
}
