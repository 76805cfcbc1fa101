//! Names that were asked for, by the address that came back: so that a connection says where it goes in the
//! words of who made it. A name is what the container's own name server said, so a claim like any other.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;

/// Most names of one container, or of the host: a connection follows its look-up, so the last ones matter.
/// Beyond it the oldest goes, and only the container's own: none can make another's names forgotten.
const NAMES_MAX: usize = 512;
/// Most containers with names: a large node has 250 pods of a few containers, of which few look up names.
/// Beyond it the one that learnt nothing for longest is forgotten.
const SCOPES_MAX: usize = 256;
/// Shortest time a name is kept, nanoseconds: programs go on with addresses they have (curl for 60 s,
/// `CURLOPT_DNS_CACHE_TIMEOUT`), whatever the server allows.
const KEPT_MIN: u64 = 60 * 1_000_000_000;
/// Longest time, nanoseconds: an hour, after which an address may be another's, whatever the server says.
const KEPT_MAX: u64 = 3600 * 1_000_000_000;

/// Which container; none is the host.
type Scope = Option<Arc<str>>;

/// Addresses and their names. Every operation is O(1), but a new container beyond the bound.
#[derive(Debug, Default)]
pub struct NameTable {
    scopes: FxHashMap<Scope, Names>,
}

#[derive(Debug, Default)]
struct Names {
    names: FxHashMap<IpAddr, Name>,
    /// Order of arrival; an address that was learnt again stands there twice.
    arrivals: VecDeque<(IpAddr, u64)>,
    learnt: u64,
}

#[derive(Debug)]
struct Name {
    name: Arc<str>,
    until: u64,
    learnt: u64,
}

impl NameTable {
    /// A container asked for a name and got an address. `ttl` in seconds, times in `CLOCK_BOOTTIME`
    /// nanoseconds.
    pub fn learn(&mut self, scope: Option<&Arc<str>>, address: IpAddr, name: &Arc<str>, ttl: u32, now: u64) {
        let scope = scope.cloned();
        if self.scopes.len() >= SCOPES_MAX && !self.scopes.contains_key(&scope) {
            let oldest =
                self.scopes.iter().min_by_key(|(_, names)| names.learnt).map(|(scope, _)| scope.clone());
            oldest.map(|oldest| self.scopes.remove(&oldest));
        }
        let kept = (u64::from(ttl) * 1_000_000_000).clamp(KEPT_MIN, KEPT_MAX);
        let names = self.scopes.entry(scope).or_default();
        names.learnt = now;
        let name = Name { name: Arc::clone(name), until: now.saturating_add(kept), learnt: now };
        names.names.insert(address, name);
        names.arrivals.push_back((address, now));
        while names.names.len() > NAMES_MAX || names.arrivals.len() > 2 * NAMES_MAX {
            let Some((address, learnt)) = names.arrivals.pop_front() else { break };
            if names.names.get(&address).is_some_and(|name| name.learnt == learnt) {
                names.names.remove(&address);
            }
        }
    }

    /// The name under which a container asked for an address.
    #[must_use]
    pub fn name(&self, scope: Option<&Arc<str>>, address: IpAddr, now: u64) -> Option<Arc<str>> {
        let name = self.scopes.get(&scope.cloned())?.names.get(&address)?;
        (name.until > now).then(|| Arc::clone(&name.name))
    }

    /// Forgets what is too old. To be called every few seconds.
    pub fn sweep(&mut self, now: u64) {
        self.scopes.retain(|_, names| now.saturating_sub(names.learnt) < KEPT_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number))
    }

    #[test]
    fn a_name_belongs_to_the_container_that_asked() {
        let mut names = NameTable::default();
        let (web, name): (Arc<str>, Arc<str>) = (Arc::from("web"), Arc::from("example.com"));
        names.learn(Some(&web), address(1), &name, 300, SECOND);
        assert_eq!(names.name(Some(&web), address(1), 2 * SECOND).as_deref(), Some("example.com"));
        assert_eq!(names.name(None, address(1), 2 * SECOND), None, "the host did not ask");
        assert_eq!(names.name(Some(&web), address(1), 302 * SECOND), None, "too old");
    }

    #[test]
    fn the_time_a_name_is_kept_has_a_floor_and_a_ceiling() {
        let mut names = NameTable::default();
        let name: Arc<str> = Arc::from("a");
        names.learn(None, address(1), &name, 0, 0);
        names.learn(None, address(2), &name, u32::MAX, 0);
        assert!(names.name(None, address(1), KEPT_MIN - 1).is_some());
        assert!(names.name(None, address(1), KEPT_MIN).is_none());
        assert!(names.name(None, address(2), KEPT_MAX - 1).is_some());
        assert!(names.name(None, address(2), KEPT_MAX).is_none());
    }

    #[test]
    fn a_container_can_fill_its_own_room_only() {
        let mut names = NameTable::default();
        let (loud, quiet): (Arc<str>, Arc<str>) = (Arc::from("loud"), Arc::from("quiet"));
        names.learn(Some(&quiet), address(0), &Arc::from("kept"), 300, 0);
        for number in 0..10_000 {
            names.learn(Some(&loud), address(number), &Arc::from("x"), 300, u64::from(number));
            // The same again and again needs no room.
            names.learn(Some(&loud), address(9_999), &Arc::from("y"), 300, u64::from(number));
        }
        assert!(names.name(Some(&quiet), address(0), SECOND).is_some());
        assert!(names.name(Some(&loud), address(9_999), SECOND).is_some());
        let loud = names.scopes.get(&Some(loud)).expect("it is there");
        assert!(loud.names.len() <= NAMES_MAX && loud.arrivals.len() <= 2 * NAMES_MAX);
        for number in 0..1_000_u32 {
            let scope = Arc::from(number.to_string().as_str());
            names.learn(Some(&scope), address(1), &Arc::from("x"), 300, SECOND + u64::from(number));
        }
        assert_eq!(names.scopes.len(), SCOPES_MAX);
    }
}
