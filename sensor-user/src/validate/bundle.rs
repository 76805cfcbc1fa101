//! A container that no engine knows: an OCI bundle for runc or crun.

use std::path::Path;

use serde_json::{Value, json};

use super::container::{LIFE_SECONDS, PATH};
use super::{ValidateError, root};

/// What Docker grants every container, and no more (moby, oci/caps/defaults.go).
const CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// Writes the bundle of a container called `name` into `folder`, with further read-only mounts.
///
/// # Errors
/// As the system says.
pub(super) fn write(folder: &Path, name: &str, mounts: &[(&Path, &str)]) -> Result<(), ValidateError> {
    let rootfs = folder.join("rootfs");
    std::fs::create_dir(&rootfs).map_err(ValidateError::file(&rootfs))?;
    root::lay_out(&rootfs)?;
    let config = folder.join("config.json");
    let text = configuration(name, mounts).to_string();
    std::fs::write(&config, text).map_err(ValidateError::file(&config))
}

/// OCI runtime specification, config.md and config-linux.md.
fn configuration(name: &str, mounts: &[(&Path, &str)]) -> Value {
    let mount = |destination: &str, kind: &str, options: &[&str]| json!({"destination": destination, "type": kind, "source": kind, "options": options});
    let bind = |from: &Path, to: &Path| json!({"destination": to, "type": "bind", "source": from, "options": ["rbind", "ro"]});
    let mut all = vec![
        mount("/proc", "proc", &[]),
        mount("/dev", "tmpfs", &["nosuid", "mode=755"]),
        mount("/dev/shm", "tmpfs", &["nosuid", "nodev", "mode=1777"]),
    ];
    all.extend(root::tools().iter().map(|path| bind(path, path)));
    all.extend(mounts.iter().map(|(from, to)| bind(from, Path::new(to))));
    let namespaces = ["pid", "mount", "ipc", "uts", "network"].map(|kind| json!({"type": kind}));
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["sleep", LIFE_SECONDS],
            "env": [PATH],
            "cwd": "/",
            "capabilities": {
                "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES,
            },
            "noNewPrivileges": true,
        },
        "root": {"path": "rootfs", "readonly": false},
        "hostname": name,
        "mounts": all,
        "linux": {"cgroupsPath": format!("/{name}"), "namespaces": namespaces},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_hosts_tools_read_only_and_a_network_of_its_own() {
        let config = configuration("box", &[(Path::new("/x/stand"), "/opt/tidewaiter")]);
        let mounts = config["mounts"].as_array().unwrap();
        let bound = |to: &str| mounts.iter().find(|mount| mount["destination"] == to).unwrap().clone();
        assert_eq!(bound("/usr")["options"], json!(["rbind", "ro"]));
        assert_eq!(bound("/opt/tidewaiter")["source"], "/x/stand");
        assert!(config["linux"]["namespaces"].as_array().unwrap().contains(&json!({"type": "network"})));
        let granted = config["process"]["capabilities"]["effective"].to_string();
        assert!(!granted.contains("SYS_ADMIN") && granted.contains("NET_RAW"), "{granted}");
    }
}
