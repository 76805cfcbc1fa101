//! What is normal for an image: which programs its containers run, where they connect, how much they send. Learned by
//! [`Learner`], kept in a file, asked by rules. Pure: the file is read and written elsewhere.
//!
//! An image is known by its name without tag and digest, so that what was learned of one version is held against the next.

mod document;
mod hour;
mod learner;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use document::Malformed;
pub use hour::{HOUR, Hours};
pub use learner::Learner;

use crate::event::{Connection, Direction, Event};
use crate::state::container::Container;

/// Most images of a baseline: a node of Kubernetes keeps a hundred or two. Beyond it an image is not learned, and counted.
pub const IMAGES_MAX: usize = 512;
/// Most programs of an image: an image for builds runs some hundred. Beyond it the image's list is known to be a part,
/// and no program is called new.
pub const EXECUTABLES_MAX: usize = 1024;
/// Most destinations of an image: what connects to more (a crawler, a resolver) has no normal ones. As above.
pub const DESTINATIONS_MAX: usize = 1024;

/// How many times the fullest hour that was seen is still normal: loads of one hour and the next differ by less.
const VOLUME_FACTOR: u64 = 2;
/// Bytes in an hour that are never news: a mebibyte of telemetry and keep-alives.
const VOLUME_FLOOR: u64 = 1 << 20;

/// What was learned, as it stands in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Version of the form.
    #[serde(rename = "tidewaiter_baseline")]
    version: u32,
    /// For how long was learned, all times together.
    pub learned_seconds: u64,
    #[serde(deserialize_with = "document::unique")]
    pub images: BTreeMap<String, Normal>,
    /// Images there was no room for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub images_omitted: u64,
}

/// What is normal for one image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normal {
    /// How many containers of it were seen.
    #[serde(default)]
    pub containers: u64,
    /// Paths as the kernel resolved them, and the applets of multi-call binaries.
    #[serde(default)]
    pub executables: BTreeSet<String>,
    /// `HOST:PORT`, by name where the container asked for one; with the most bytes that a container sent there in an hour.
    #[serde(default, deserialize_with = "document::unique")]
    pub destinations: BTreeMap<String, u64>,
    /// How many there was no room for. Who has any is not judged by that list.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub executables_omitted: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub destinations_omitted: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The image of a container, as baselines name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Image<'c> {
    Known(&'c str),
    /// Its runtime may still tell.
    Pending,
    /// Nobody knows one: a build's step, a container of an unknown runtime.
    None,
}

/// The name of a container's image; where the runtime has no name for it, the id.
#[must_use]
pub fn image_of(container: &Container) -> Image<'_> {
    match (container.image.as_deref(), container.image_id.as_deref()) {
        (Some(reference), _) => Image::Known(bare(reference)),
        (None, _) if !container.is_complete() => Image::Pending,
        (None, Some(id)) => Image::Known(id),
        (None, None) => Image::None,
    }
}

/// An image reference without what Docker leaves out of the names it shows, tag and digest.
fn bare(reference: &str) -> &str {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    if name.starts_with("sha256:") {
        return name;
    }
    let after_slash = name.rfind('/').map_or(0, |slash| slash + 1);
    let tag = name.get(after_slash..).and_then(|last| last.find(':')).map(|colon| after_slash + colon);
    let name = tag.and_then(|tag| name.get(..tag)).unwrap_or(name);
    ["docker.io/library/", "docker.io/"].iter().find_map(|lead| name.strip_prefix(lead)).unwrap_or(name)
}

/// Where an event goes to, if it leaves the container: its own loopback is inside. Port 0 is nowhere: glibc connects a
/// datagram socket there to learn which source address it would have, and sends nothing (getaddrinfo(3), RFC 6724).
fn outward(event: &Event) -> Option<&Connection> {
    let connection = event.body.connection()?;
    let is_outward = connection.direction == Direction::Outbound
        && !connection.address.is_loopback()
        && !connection.address.is_unspecified()
        && connection.port != 0;
    is_outward.then_some(connection)
}

/// The destination of an event that leaves its container, as baselines name it.
#[must_use]
pub fn destination_of(event: &Event) -> Option<String> {
    let connection = outward(event)?;
    let port = connection.port;
    Some(match (&connection.hostname, connection.address) {
        (Some(name), _) => format!("{name}:{port}"),
        (None, std::net::IpAddr::V4(address)) => format!("{address}:{port}"),
        (None, std::net::IpAddr::V6(address)) => format!("[{address}]:{port}"),
    })
}

/// Bytes that an event says were sent since the last one of its connection.
#[must_use]
pub fn sent_of(event: &Event) -> Option<u64> {
    event.body.flow().map(|flow| flow.bytes_sent_new)
}

impl Baseline {
    /// The newest version of the form.
    pub const VERSION: u32 = 1;

    #[must_use]
    pub fn new() -> Self {
        Self { version: Self::VERSION, ..Self::default() }
    }

    /// What is normal for a container of an image, once something is known of that.
    #[must_use]
    pub fn normal(&self, image: &str) -> Option<&Normal> {
        self.images.get(image)
    }

    /// Most bytes a container of the image may send to a destination in an hour before it is news; none for a
    /// destination that is new itself. Who learned for less than an hour is taken to have seen the rest of it alike.
    #[must_use]
    pub fn volume_max(&self, normal: &Normal, destination: &str) -> Option<u64> {
        let sent = *normal.destinations.get(destination)?;
        let hour = HOUR.as_secs();
        let seconds = self.learned_seconds.clamp(1, hour);
        let in_an_hour = u64::try_from(u128::from(sent) * u128::from(hour) / u128::from(seconds));
        Some(in_an_hour.unwrap_or(u64::MAX).saturating_mul(VOLUME_FACTOR).max(VOLUME_FLOOR))
    }

    /// The image's entry, made where there is room.
    fn entry(&mut self, image: &str) -> Option<&mut Normal> {
        if !self.images.contains_key(image) {
            if self.images.len() >= IMAGES_MAX {
                self.images_omitted += 1;
                return None;
            }
            self.images.insert(image.to_owned(), Normal::default());
        }
        self.images.get_mut(image)
    }

    /// Adds what another one knows: what is normal for either is normal.
    pub fn merge(&mut self, other: Self) {
        self.learned_seconds = self.learned_seconds.saturating_add(other.learned_seconds);
        self.images_omitted += other.images_omitted;
        for (image, normal) in other.images {
            if let Some(entry) = self.entry(&image) {
                entry.merge(normal);
            }
        }
    }
}

impl Normal {
    fn merge(&mut self, other: Self) {
        self.containers = self.containers.saturating_add(other.containers);
        self.executables_omitted += other.executables_omitted;
        self.destinations_omitted += other.destinations_omitted;
        other.executables.iter().for_each(|path| self.note_executable(path));
        other.destinations.into_iter().for_each(|(destination, sent)| self.note_sent(destination, sent));
    }

    fn note_executable(&mut self, path: &str) {
        if self.executables.contains(path) {
            return;
        }
        if self.executables.len() >= EXECUTABLES_MAX {
            self.executables_omitted += 1;
        } else {
            self.executables.insert(path.to_owned());
        }
    }

    fn note_sent(&mut self, destination: String, sent: u64) {
        if let Some(most) = self.destinations.get_mut(&destination) {
            *most = (*most).max(sent);
        } else if self.destinations.len() >= DESTINATIONS_MAX {
            self.destinations_omitted += 1;
        } else {
            self.destinations.insert(destination, sent);
        }
    }
}

#[cfg(test)]
mod tests;
