//! What the binary carries, packed: the kernel half, the built-in detections, and what proves these.
//!
//! Unpacked anew whenever it is asked for, so that a running agent keeps nothing of it in memory. The build script packs.

use std::sync::LazyLock;

use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// The kernel half; empty in a binary that was built without.
static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tidewaiter-ebpf.packed"));
/// Rules, and their strategies.
static RULES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rules.packed"));
/// Emulations, and recorded events.
static PROOFS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/proofs.packed"));

/// Most bytes that anything here unpacks to: ten times what there is.
const UNPACKED_MAX: usize = 16 << 20;

/// Files by their names from `rules/` on (`curl_download/rule.yml`), sorted.
#[derive(Debug)]
pub(crate) struct Archive(Vec<(String, String)>);

/// The bytes that the kernel half was linked to.
pub(crate) fn object() -> Vec<u8> {
    unpack(OBJECT)
}

/// Rules and strategies.
pub(crate) fn rules() -> Archive {
    Archive::read(&unpack(RULES))
}

/// What proves detections: for commands that end, so it stays once it is unpacked.
pub(crate) fn proofs() -> &'static Archive {
    static UNPACKED: LazyLock<Archive> = LazyLock::new(|| Archive::read(&unpack(PROOFS)));
    &UNPACKED
}

/// Nothing, of nothing and of what is damaged: a test holds that what is here is not.
fn unpack(packed: &[u8]) -> Vec<u8> {
    if packed.is_empty() {
        return Vec::new();
    }
    decompress_to_vec_with_limit(packed, UNPACKED_MAX).unwrap_or_default()
}

impl Archive {
    /// Name and text in turn, each with a NUL after it.
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut parts = text.split('\0').map(str::to_owned);
        let mut files = Vec::new();
        while let (Some(name), Some(text)) = (parts.next(), parts.next()) {
            files.push((name, text));
        }
        Self(files)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let index = self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        self.0.get(index).map(|(_, text)| text.as_str())
    }

    /// Folders that have a file of this name, and its text.
    pub(crate) fn folders<'a>(&'a self, file: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let of = move |(name, text): &'a (String, String)| {
            Some((name.strip_suffix(file)?.strip_suffix('/')?, text.as_str()))
        };
        self.0.iter().filter_map(of)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_rules_is_in_the_binary_as_it_is() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
        let (rules, proofs) = (rules(), proofs());
        let mut count = 0;
        for folder in fs::read_dir(&root).unwrap() {
            let folder = folder.unwrap();
            let name = folder.file_name().into_string().unwrap();
            if folder.file_type().unwrap().is_file() {
                assert_eq!(proofs.get(&name), Some(&*fs::read_to_string(folder.path()).unwrap()));
                count += 1;
                continue;
            }
            for (archive, file) in [
                (&rules, "rule.yml"),
                (&rules, "ads.md"),
                (proofs, "emulate.sh"),
                (proofs, "benign.sh"),
                (proofs, "events/match.jsonl"),
                (proofs, "events/miss.jsonl"),
            ] {
                let text = fs::read_to_string(folder.path().join(file)).unwrap();
                assert_eq!(archive.get(&format!("{name}/{file}")), Some(&*text), "{name}/{file}");
                count += 1;
            }
        }
        assert_eq!(count, rules.0.len() + proofs.0.len());
        assert_eq!(rules.folders("rule.yml").count(), rules.folders("ads.md").count());
    }

    #[test]
    fn what_is_damaged_unpacks_to_nothing() {
        assert_eq!(unpack(b"no deflate at all"), b"");
        assert_eq!(unpack(b""), b"");
    }
}
