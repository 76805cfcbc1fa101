//! `tidewaiter.cloud`: what the process's command line asks of a cloud, under the names of `event/field.rs`.

use std::borrow::Cow;

use serde::Serialize;

use crate::state::process::Process;

#[derive(Clone, Debug, Serialize)]
pub struct CloudReport<'a> {
    pub provider: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Cow<'a, str>>,
    pub class: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub region: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub region_source: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bucket: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub account: Vec<Cow<'a, str>>,
}

/// None: it is no tool of a cloud.
pub(super) fn report(process: &Process) -> Option<CloudReport<'_>> {
    let cloud = process.command.as_deref()?.cloud.as_ref()?;
    let environment = process.session.environment.iter().map(|variable| &**variable);
    let (region, source): (Vec<_>, Vec<_>) = cloud.places(&environment).into_iter().unzip();
    Some(CloudReport {
        provider: cloud.provider.name(),
        service: cloud.service.as_deref().map(Cow::Borrowed),
        operation: cloud.operation.as_deref().map(Cow::Borrowed),
        class: cloud.class.name(),
        region: region.into_iter().map(Cow::Owned).collect(),
        region_source: source.into_iter().map(crate::command::cloud::Source::name).collect(),
        bucket: cloud.buckets.iter().map(|bucket| Cow::Borrowed(bucket.as_str())).collect(),
        endpoint: cloud.endpoint(&environment).map(Cow::Borrowed),
        profile: cloud.profile(&environment).map(Cow::Borrowed),
        account: cloud.accounts.iter().map(|account| Cow::Borrowed(account.as_str())).collect(),
    })
}

impl<'a> CloudReport<'a> {
    /// Keeps so many of each list, and cuts the texts.
    pub(super) fn cut(&mut self, count: usize, cut: &mut impl FnMut(&mut Cow<'a, str>)) {
        for list in [&mut self.region, &mut self.bucket, &mut self.account] {
            list.truncate(count);
            list.iter_mut().for_each(&mut *cut);
        }
        self.region_source.truncate(count);
        let texts = [&mut self.service, &mut self.operation, &mut self.endpoint, &mut self.profile];
        texts.into_iter().flatten().for_each(cut);
    }
}
