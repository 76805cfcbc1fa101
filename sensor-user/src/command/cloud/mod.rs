//! What a tool of a cloud is asked to do: of whose cloud, in which region, what kind of thing.
//!
//! It reads the command line. The region may stand in the environment instead ([`Cloud::places`]); what
//! a configuration file says is not known.

mod tool;
mod class;
mod region;

use super::Call;
use super::option::Word;
use tool::{Shape, Tool};

pub use tool::Provider;

/// Most regions, buckets and accounts kept of a command line: the first say what it is about.
const PLACES_MAX: usize = 16;
/// Longest text kept of one, bytes: the command line has all of it.
const TEXT_MAX: usize = 256;
/// Digits of an AWS account.
const ACCOUNT_DIGITS: usize = 12;

/// What was understood of a cloud tool's command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    pub provider: Provider,
    pub service: Option<String>,
    /// As the tool names it: `run-instances`, `instances create`, `delete`.
    pub operation: Option<String>,
    pub class: Class,
    regions: Vec<(String, Source)>,
    pub buckets: Vec<String>,
    endpoint: Option<String>,
    profile: Option<String>,
    /// Who something is shared with.
    pub accounts: Vec<String>,
}

/// Kind of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Create,
    Delete,
    Stop,
    List,
    Share,
    Upload,
    Download,
    SignIn,
    EnableRegion,
    Other,
}

impl Class {
    /// The name rules use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Stop => "stop",
            Self::List => "list",
            Self::Share => "share",
            Self::Upload => "upload",
            Self::Download => "download",
            Self::SignIn => "sign_in",
            Self::EnableRegion => "enable_region",
            Self::Other => "other",
        }
    }
}

/// Where a region comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Option,
    Environment,
    Zone,
}

impl Source {
    /// The name rules use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Option => "option",
            Self::Environment => "environment",
            Self::Zone => "zone",
        }
    }
}

impl Cloud {
    /// The regions that are named. Where no option names one, those of the environment (`NAME=value` each).
    #[must_use]
    pub fn places<'a>(&self, environment: &(impl Iterator<Item = &'a str> + Clone)) -> Vec<(String, Source)> {
        if !self.regions.is_empty() {
            return self.regions.clone();
        }
        let names: &[&str] = match self.provider {
            Provider::Aws => &["AWS_REGION", "AWS_DEFAULT_REGION"],
            Provider::Gcp => &["CLOUDSDK_COMPUTE_ZONE", "CLOUDSDK_COMPUTE_REGION", "CLOUDSDK_RUN_REGION"],
            Provider::Azure => &["AZURE_DEFAULTS_LOCATION"],
            Provider::Kubernetes | Provider::DigitalOcean | Provider::Oracle | Provider::Alibaba => &[],
        };
        let region = variable(names, environment).and_then(|text| place(self.provider, text));
        region.map(|region| (region, Source::Environment)).into_iter().collect()
    }

    /// The profile, project or subscription that is chosen.
    #[must_use]
    pub fn profile<'a>(&'a self, environment: &(impl Iterator<Item = &'a str> + Clone)) -> Option<&'a str> {
        let names: &[&str] = match self.provider {
            Provider::Aws => &["AWS_PROFILE"],
            Provider::Gcp => &["CLOUDSDK_CORE_PROJECT"],
            Provider::Azure | Provider::Oracle | Provider::Alibaba | Provider::DigitalOcean => &[],
            Provider::Kubernetes => &["KUBECONFIG"],
        };
        self.profile.as_deref().or_else(|| variable(names, environment))
    }

    /// Host of another endpoint than the provider's own.
    #[must_use]
    pub fn endpoint<'a>(&'a self, environment: &(impl Iterator<Item = &'a str> + Clone)) -> Option<&'a str> {
        let names: &[&str] = if self.provider == Provider::Aws { &["AWS_ENDPOINT_URL"] } else { &[] };
        self.endpoint.as_deref().or_else(|| variable(names, environment).map(host))
    }

    /// The texts that are written in the command line.
    pub(crate) fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let Self { provider: _, service, operation, class: _, regions, buckets, endpoint, profile, accounts } =
            self;
        let named = [service, operation, endpoint, profile].into_iter().flatten();
        named.chain(buckets).chain(accounts).chain(regions.iter_mut().map(|(name, _)| name))
    }

    /// Bytes of its texts and lists.
    pub(super) fn texts(&self) -> usize {
        let named = [&self.service, &self.operation, &self.endpoint, &self.profile];
        let lists =
            self.buckets.iter().chain(&self.accounts).chain(self.regions.iter().map(|(name, _)| name));
        let count = self.buckets.capacity() + self.accounts.capacity();
        named.into_iter().flatten().chain(lists).map(String::capacity).sum::<usize>()
            + count * size_of::<String>()
            + self.regions.capacity() * size_of::<(String, Source)>()
    }

    fn add_region(&mut self, text: &str, source: Source) {
        // `--placement AvailabilityZone=us-east-1a,Tenancy=default`, `--zones a,b`.
        for part in text.split(',') {
            let part = part.strip_prefix("AvailabilityZone=").unwrap_or(part);
            if part.contains('=') || self.regions.len() >= PLACES_MAX {
                continue;
            }
            let Some(region) = place(self.provider, bounded(part)) else { continue };
            // A zone that was given where a region may stand (`--location europe-west1-b`).
            let is_zone =
                matches!(self.provider, Provider::Aws | Provider::Gcp) && region.len() < part.trim().len();
            let source = if is_zone { Source::Zone } else { source };
            if !self.regions.iter().any(|(known, _)| *known == region) {
                self.regions.push((region, source));
            }
        }
    }

    fn add_accounts(&mut self, text: &str) {
        let mut add = |account: &str| {
            if !account.is_empty() && self.accounts.len() < PLACES_MAX {
                self.accounts.push(bounded(account).to_owned());
            }
        };
        if self.provider == Provider::Aws {
            let runs = text.split(|letter: char| !letter.is_ascii_digit());
            runs.filter(|run| run.len() == ACCOUNT_DIGITS).for_each(&mut add);
            let everybody = text.split(|letter: char| !letter.is_ascii_alphabetic());
            everybody.filter(|word| *word == "all").for_each(add);
        } else {
            add(text);
        }
    }
}

/// Reads a call, if it is one of a cloud's tool.
#[must_use]
pub fn understand(call: Call<'_>) -> Option<Cloud> {
    let tool = tool::named(call.name)?;
    let mut cloud = Cloud {
        provider: tool.provider,
        service: tool.service.map(str::to_owned),
        operation: None,
        class: Class::Other,
        regions: Vec::new(),
        buckets: Vec::new(),
        endpoint: None,
        profile: None,
        accounts: Vec::new(),
    };
    let mut operands = Vec::new();
    let (mut group, mut opts_in) = (None, false);
    for word in tool.options.walk(call.arguments) {
        match word {
            Word::Option(name, Some(value)) => {
                take_option(&mut cloud, tool, name, value);
                opts_in |= name == "opt-in-status" && value == "opted-in";
                group = group.or((name == "group-name").then_some(value));
            }
            Word::Option(_, None) => {}
            Word::Operand(operand) => operands.push(operand),
        }
    }
    operate(&mut cloud, tool, &operands);
    if opts_in {
        // The group of zones is called as the region and its local zone are.
        cloud.class = Class::EnableRegion;
        group.into_iter().for_each(|group| cloud.add_region(group, Source::Zone));
    }
    add_buckets(&mut cloud, &operands);
    if cloud.class != Class::Share {
        cloud.accounts.clear();
    }
    Some(cloud)
}

fn take_option(cloud: &mut Cloud, tool: &Tool, name: &str, value: &str) {
    let is = |names: &[&str]| names.contains(&name);
    if is(tool.region) {
        cloud.add_region(value, Source::Option);
    } else if is(tool.zone) {
        cloud.add_region(value, Source::Zone);
    } else if is(tool.profile) {
        cloud.profile = Some(bounded(value).to_owned());
    } else if is(tool.endpoint) {
        cloud.endpoint = Some(bounded(host(value)).to_ascii_lowercase());
    } else if is(tool.bucket) && cloud.buckets.len() < PLACES_MAX {
        cloud.buckets.push(bounded(value).to_owned());
    } else if is(tool.account) {
        cloud.add_accounts(value);
    }
}

/// What is asked for, by the operands.
fn operate(cloud: &mut Cloud, tool: &Tool, operands: &[&str]) {
    let operands = match operands {
        ["alpha" | "beta", rest @ ..] if tool.provider == Provider::Gcp => rest,
        all => all,
    };
    match tool.shape {
        Shape::Pair => {
            let (service, operation) = (operands.first(), operands.get(1));
            cloud.service = service.map(|text| bounded(text).to_ascii_lowercase());
            cloud.operation = operation.map(|text| bounded(text).to_owned());
            cloud.class = match (cloud.service.as_deref(), operation) {
                (Some("s3"), Some(operation)) => of_copy(operation, operands),
                (Some("sso"), Some(_)) => Class::SignIn,
                (_, Some(operation)) if tool.provider == Provider::Alibaba => class::of_camel(operation),
                (_, Some(operation)) => class::of(operation),
                (_, None) => Class::Other,
            };
        }
        Shape::Tree => {
            cloud.service = operands.first().map(|text| bounded(text).to_owned());
            let verb = operands.iter().position(|word| class::known(word).is_some());
            let end = verb.unwrap_or(1);
            let words = operands.get(1.min(end)..=end).unwrap_or_default();
            cloud.operation = Some(bounded(&words.join(" ")).to_owned()).filter(|text| !text.is_empty());
            cloud.class = match (operands.first(), words.last()) {
                (Some(&"auth"), _) => Class::SignIn,
                (Some(&"storage"), Some(&("cp" | "mv" | "rsync"))) => of_copy("cp", operands),
                (_, Some(word)) => class::of(word),
                (_, None) => Class::Other,
            };
        }
        Shape::VerbFirst => {
            cloud.class = operands.first().map_or(Class::Other, |verb| class::of(verb));
            let words = if cloud.service.is_some() { 2 } else { 1 };
            let words: Vec<&str> = operands.iter().take(words).copied().collect();
            cloud.operation = Some(bounded(&words.join(" ")).to_owned()).filter(|text| !text.is_empty());
            let names_kind = !matches!(operands.first(), Some(&"run")) && cloud.class != Class::Other;
            if cloud.service.is_none() && names_kind {
                cloud.service = operands.get(1).map(|text| resource(bounded(text)));
            }
        }
    }
}

/// A copy between here and a bucket, by its last two places.
fn of_copy(operation: &str, operands: &[&str]) -> Class {
    if !matches!(operation, "cp" | "mv" | "sync") {
        return class::of(operation);
    }
    let is_bucket = |place: &&str| place.starts_with("s3://") || place.starts_with("gs://");
    match operands {
        [.., from, to] if is_bucket(from) && !is_bucket(to) => Class::Download,
        [.., to] if is_bucket(to) => Class::Upload,
        _ => Class::Other,
    }
}

fn add_buckets(cloud: &mut Cloud, operands: &[&str]) {
    for operand in operands {
        let rest = operand.strip_prefix("s3://").or_else(|| operand.strip_prefix("gs://"));
        let name = rest.and_then(|rest| rest.split('/').next()).filter(|name| !name.is_empty());
        if let Some(name) = name
            && cloud.buckets.len() < PLACES_MAX
            && !cloud.buckets.iter().any(|known| known == name)
        {
            cloud.buckets.push(bounded(name).to_owned());
        }
    }
}

/// Kind of a Kubernetes resource (`pods`, `po`, `pod/web`), in its singular.
fn resource(word: &str) -> String {
    let kind = word.split('/').next().unwrap_or(word).to_ascii_lowercase();
    let long = match kind.as_str() {
        "po" | "pods" => "pod",
        "deploy" | "deployments" => "deployment",
        "ds" | "daemonsets" => "daemonset",
        "sts" | "statefulsets" => "statefulset",
        "rs" | "replicasets" => "replicaset",
        "jobs" => "job",
        "cj" | "cronjobs" => "cronjob",
        "svc" | "services" => "service",
        "ns" | "namespaces" => "namespace",
        "no" | "nodes" => "node",
        "ev" | "events" => "event",
        "cm" | "configmaps" => "configmap",
        "secrets" => "secret",
        _ => return kind,
    };
    long.to_owned()
}

fn place(provider: Provider, text: &str) -> Option<String> {
    match provider {
        Provider::Aws => region::of_amazon(text),
        Provider::Gcp => region::of_google(text),
        Provider::Azure
        | Provider::Kubernetes
        | Provider::DigitalOcean
        | Provider::Oracle
        | Provider::Alibaba => region::plain(text),
    }
}

/// The value of the first of these variables that is set.
fn variable<'a>(names: &[&str], environment: &(impl Iterator<Item = &'a str> + Clone)) -> Option<&'a str> {
    names.iter().find_map(|name| {
        let value = environment.clone().find_map(|variable| variable.strip_prefix(name)?.strip_prefix('='));
        value.filter(|value| !value.is_empty())
    })
}

/// The host of a URL, without port.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    if authority.starts_with('[') {
        return authority.split_inclusive(']').next().unwrap_or(authority);
    }
    authority.split(':').next().unwrap_or(authority)
}

/// As much of a text as is kept.
fn bounded(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_MAX)).unwrap_or(text)
}

#[cfg(test)]
mod tests;
