//! Regions, and zones as the regions they lie in: an availability zone is none.

/// The region of a zone or region of AWS: `us-east-1a`, a local zone (`us-west-2-lax-1a`) or a Wavelength zone
/// (`us-east-1-wl1-bos-wlz-1`) are told as what stands up to the first number (AWS, "AWS local zones"). None: a
/// zone id (`use1-az1`) does not name its region.
pub(super) fn of_amazon(zone: &str) -> Option<String> {
    let zone = zone.trim().to_ascii_lowercase();
    let mut region = String::with_capacity(zone.len());
    for part in zone.split('-') {
        if !region.is_empty() {
            region.push('-');
        }
        if part.starts_with(|first: char| first.is_ascii_digit()) {
            region.push_str(part.trim_end_matches(|last: char| last.is_ascii_lowercase()));
            return region.contains('-').then_some(region);
        }
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return None;
        }
        region.push_str(part);
    }
    None
}

/// The region of a zone or region of Google: `europe-west1-b` lies in `europe-west1`; of a path its last part.
pub(super) fn of_google(zone: &str) -> Option<String> {
    let zone = zone.trim().rsplit('/').next()?.to_ascii_lowercase();
    let cut = zone.rsplit_once('-').filter(|(region, letter)| {
        letter.len() == 1
            && letter.bytes().all(|byte| byte.is_ascii_lowercase())
            && region.ends_with(|last: char| last.is_ascii_digit())
    });
    let region = cut.map_or(zone.as_str(), |(region, _)| region);
    (!region.is_empty()).then(|| region.to_owned())
}

/// A region of another provider, without blanks (`West Europe` is `westeurope` to Azure) and in lower case.
pub(super) fn plain(region: &str) -> Option<String> {
    let region: String = region.chars().filter(|letter| !letter.is_whitespace()).collect();
    (!region.is_empty()).then(|| region.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_told_as_its_region() {
        for (zone, expected) in [
            ("us-east-1a", Some("us-east-1")),
            ("us-east-1", Some("us-east-1")),
            ("us-west-2-lax-1a", Some("us-west-2")),
            ("us-east-1-wl1-bos-wlz-1", Some("us-east-1")),
            ("us-gov-west-1b", Some("us-gov-west-1")),
            ("AP-East-1", Some("ap-east-1")),
            ("use1-az1", None),
            ("1a", None),
            ("", None),
        ] {
            assert_eq!(of_amazon(zone).as_deref(), expected, "{zone}");
        }
        for (zone, expected) in [
            ("europe-west1-b", Some("europe-west1")),
            ("europe-west1", Some("europe-west1")),
            ("projects/p/zones/me-central2-a", Some("me-central2")),
            ("global", Some("global")),
            ("", None),
        ] {
            assert_eq!(of_google(zone).as_deref(), expected, "{zone}");
        }
        assert_eq!(plain("West Europe").as_deref(), Some("westeurope"));
    }
}
