//! What a command line asks of a cloud.

use sigma::{Presence, Value};

use super::{Each, Field, all, one, text};
use crate::command::cloud::Cloud;

/// All that are told of a request to a cloud.
pub(in crate::event) const FIELDS: [Field; 10] = [
    Field::CloudProvider,
    Field::CloudService,
    Field::CloudOperation,
    Field::CloudClass,
    Field::CloudRegion,
    Field::CloudRegionSource,
    Field::CloudBucket,
    Field::CloudEndpoint,
    Field::CloudProfile,
    Field::CloudAccount,
];

/// `environment`: the variables of the process, `NAME=value` each.
#[expect(clippy::wildcard_enum_match_arm, reason = "asked for these fields only")]
pub(in crate::event) fn visit<'a>(
    cloud: &'a Cloud,
    environment: &(impl Iterator<Item = &'a str> + Clone),
    field: Field,
    each: Each<'_>,
) -> Presence {
    match field {
        Field::CloudProvider => one(Value::Text(cloud.provider.name()), each),
        Field::CloudService => text(cloud.service.as_deref(), each),
        Field::CloudOperation => text(cloud.operation.as_deref(), each),
        Field::CloudClass => one(Value::Text(cloud.class.name()), each),
        Field::CloudRegion => {
            let regions = cloud.places(environment);
            all(regions.iter().map(|(region, _)| Value::Text(region)), each)
        }
        Field::CloudRegionSource => {
            let regions = cloud.places(environment);
            all(regions.iter().map(|(_, source)| Value::Text(source.name())), each)
        }
        Field::CloudBucket => all(cloud.buckets.iter().map(|bucket| Value::Text(bucket)), each),
        Field::CloudEndpoint => text(cloud.endpoint(environment), each),
        Field::CloudProfile => text(cloud.profile(environment), each),
        Field::CloudAccount => all(cloud.accounts.iter().map(|account| Value::Text(account)), each),
        _ => Presence::Absent,
    }
}
