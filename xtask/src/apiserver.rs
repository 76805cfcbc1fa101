//! The lab's Kubernetes API server: Debian's source of it built with Debian's Go, and Debian's etcd. Nothing of it is
//! installed, and nothing is fetched from anywhere but the mirror that the lab's machine comes from.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result};

use crate::lab::{self, LabPart, SUITE};
use crate::place::Place;

/// The Debian that has Kubernetes with everything it is built from, and the Go of its time. Later ones split it over
/// a hundred packages and leave out the server.
pub(crate) const SOURCE_SUITE: &str = "bullseye";

/// Builds it where the packages lie, in the lab's machine.
const BUILD: &str = include_str!("../guest/apiserver.sh");

/// What is fetched as packages. etcd is there in both suites: the newer is taken, which runs in both.
const PACKAGES: &str = "etcd-server golang-1.15-go golang-1.15-src";

/// What comes out.
const PROGRAMS: [&str; 2] = ["kube-apiserver", "etcd"];

/// All that decides what comes out.
pub(crate) fn recipe() -> String {
    format!("{SUITE} {SOURCE_SUITE} {PACKAGES}\n{BUILD}")
}

/// Fetches and builds both programs into `draft`.
pub(crate) fn make(place: &Place, draft: &Path) -> Result<String> {
    let machine = LabPart::Machine.path(place);
    let inside = Path::new("/tmp/apiserver");
    let outside = machine.join(inside.strip_prefix("/")?);
    lab::remove(&outside)?;
    fs::create_dir_all(outside.join("lists/partial"))
        .with_context(|| format!("cannot create {}", outside.display()))?;
    fs::write(outside.join("sources.list"), sources(&machine)?)
        .context("cannot write the list of sources")?;
    fs::write(outside.join("build.sh"), BUILD).context("cannot write the build's steps")?;
    let inside = inside.display();
    // Lists of its own: the machine's are for kernels.
    let fetch = format!(
        "cd {inside} && apt() {{ apt-get -o Dir::Etc::sourcelist=$PWD/sources.list -o Dir::Etc::sourceparts=- \
         -o Dir::State::lists=$PWD/lists \"$@\"; }}; apt update; apt download {PACKAGES}; \
         apt source --download-only --tar-only kubernetes"
    );
    lab::inside(&machine, &fetch, place, "lab-apiserver-fetch")
        .context("Debian's source of Kubernetes cannot be fetched")?;
    lab::inside(&machine, &format!("cd {inside} && . ./build.sh"), place, "lab-apiserver-build").context(
        "the API server cannot be built; it takes 2 GB of memory and 2 GB of disk for some minutes",
    )?;
    for program in PROGRAMS {
        let (from, to) = (outside.join("made").join(program), draft.join(program));
        fs::rename(&from, &to).with_context(|| format!("cannot move {}", from.display()))?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).context("cannot make it executable")?;
    }
    lab::remove(&outside)?;
    Ok(format!("Kubernetes of Debian {SOURCE_SUITE}, etcd of {SUITE}"))
}

/// Where `draft`, or what became of it, has its programs.
pub(crate) fn found(path: &Path) -> Option<String> {
    PROGRAMS.iter().all(|program| path.join(program).is_file()).then(|| path.display().to_string())
}

/// The mirror of the machine, for the packages of both suites and for the source.
fn sources(machine: &Path) -> Result<String> {
    let file = machine.join("etc/apt/sources.list");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let rest = text
        .lines()
        .find_map(|line| line.strip_prefix("deb ").filter(|rest| rest.contains(SUITE)))
        .with_context(|| format!("{} names no {SUITE}", file.display()))?;
    let older = rest.replace(SUITE, SOURCE_SUITE);
    Ok(format!("deb {rest}\ndeb {older}\ndeb-src {older}\n"))
}
