//! The tools: their options, and where in their words an operation stands.

use super::super::option::{EXACT, GNU, KUBECTL, Options, Style};

/// Whose cloud it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    Aws,
    Gcp,
    Azure,
    Kubernetes,
    DigitalOcean,
    Oracle,
    Alibaba,
}

impl Provider {
    /// The name rules use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::Kubernetes => "kubernetes",
            Self::DigitalOcean => "digitalocean",
            Self::Oracle => "oracle",
            Self::Alibaba => "alibaba",
        }
    }
}

/// Where among the operands the operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `ec2 run-instances`.
    Pair,
    /// `compute instances create NAME`: groups, until a verb.
    Tree,
    /// `delete pod NAME`.
    VerbFirst,
}

/// How a tool's command line is read. Options are named without dashes.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) provider: Provider,
    pub(super) shape: Shape,
    pub(super) options: Options,
    /// The service, where the tool has but one.
    pub(super) service: Option<&'static str>,
    pub(super) region: &'static [&'static str],
    pub(super) zone: &'static [&'static str],
    pub(super) profile: &'static [&'static str],
    pub(super) endpoint: &'static [&'static str],
    pub(super) bucket: &'static [&'static str],
    /// Who something is shared with.
    pub(super) account: &'static [&'static str],
}

const NONE: &[&str] = &[];

const fn options(short: &'static str, long: &'static [&'static str], style: Style) -> Options {
    Options { short, long, style }
}

/// AWS CLI 2 ("Global options"), and options of operations that name a place.
static AWS: Tool = Tool {
    provider: Provider::Aws,
    shape: Shape::Pair,
    options: options(
        "",
        &[
            "region=",
            "profile=",
            "endpoint-url=",
            "output=",
            "query=",
            "color=",
            "ca-bundle=",
            "cli-read-timeout=",
            "cli-connect-timeout=",
            "cli-binary-format=",
            "region-name=",
            "availability-zone=",
            "placement=",
            "group-name=",
            "opt-in-status=",
            "bucket=",
            "user-ids=",
            "values-to-add=",
            "principals=",
            "launch-permission=",
            "create-volume-permission=",
        ],
        GNU,
    ),
    service: None,
    region: &["region", "region-name"],
    zone: &["availability-zone", "placement"],
    profile: &["profile"],
    endpoint: &["endpoint-url"],
    bucket: &["bucket"],
    account: &["user-ids", "values-to-add", "principals", "launch-permission", "create-volume-permission"],
};

/// Google Cloud CLI 540.
static GCLOUD: Tool = Tool {
    provider: Provider::Gcp,
    shape: Shape::Tree,
    options: options(
        "",
        &[
            "project=",
            "account=",
            "configuration=",
            "billing-project=",
            "impersonate-service-account=",
            "format=",
            "filter=",
            "verbosity=",
            "flags-file=",
            "access-token-file=",
            "zone=",
            "region=",
            "location=",
            "zones=",
            "member=",
            "role=",
        ],
        EXACT,
    ),
    service: None,
    region: &["region", "location"],
    zone: &["zone", "zones"],
    profile: &["project", "account", "configuration", "impersonate-service-account"],
    endpoint: NONE,
    bucket: NONE,
    account: &["member"],
};

/// Azure CLI 2.70.
static AZ: Tool = Tool {
    provider: Provider::Azure,
    shape: Shape::Tree,
    options: options(
        "lgnocsd",
        &[
            "location=",
            "subscription=",
            "resource-group=",
            "name=",
            "output=",
            "query=",
            "account-name=",
            "container-name=",
            "assignee=",
        ],
        GNU,
    ),
    service: None,
    region: &["location", "l"],
    zone: NONE,
    profile: &["subscription"],
    endpoint: NONE,
    bucket: &["container-name"],
    account: &["assignee"],
};

/// eksctl 0.215.
static EKSCTL: Tool = Tool {
    provider: Provider::Aws,
    shape: Shape::VerbFirst,
    options: options(
        "rpfnvC",
        &["region=", "zones=", "profile=", "config-file=", "name=", "cluster=", "verbose=", "color="],
        EXACT,
    ),
    service: Some("eks"),
    region: &["region", "r"],
    zone: &["zones"],
    profile: &["profile", "p"],
    endpoint: NONE,
    bucket: NONE,
    account: NONE,
};

/// kubectl and oc.
static CLUSTER: Tool = Tool {
    provider: Provider::Kubernetes,
    shape: Shape::VerbFirst,
    options: KUBECTL,
    service: None,
    region: NONE,
    zone: NONE,
    profile: &["context", "user", "as", "kubeconfig"],
    endpoint: &["server", "s"],
    bucket: NONE,
    account: NONE,
};

/// doctl 1.120.
static DOCTL: Tool = Tool {
    provider: Provider::DigitalOcean,
    shape: Shape::Tree,
    options: options(
        "ctuvo",
        &["context=", "access-token=", "api-url=", "output=", "region=", "size="],
        EXACT,
    ),
    service: None,
    region: &["region"],
    zone: NONE,
    profile: &["context"],
    endpoint: &["api-url"],
    bucket: NONE,
    account: NONE,
};

/// OCI CLI 3.
static OCI: Tool = Tool {
    provider: Provider::Oracle,
    shape: Shape::Tree,
    options: options(
        "",
        &[
            "region=",
            "profile=",
            "endpoint=",
            "config-file=",
            "output=",
            "query=",
            "auth=",
            "compartment-id=",
        ],
        GNU,
    ),
    service: None,
    region: &["region"],
    zone: NONE,
    profile: &["profile"],
    endpoint: &["endpoint"],
    bucket: NONE,
    account: NONE,
};

/// Alibaba Cloud CLI 3.
static ALIYUN: Tool = Tool {
    provider: Provider::Alibaba,
    shape: Shape::Pair,
    options: options("p", &["region=", "RegionId=", "profile=", "endpoint=", "output="], EXACT),
    service: None,
    region: &["region", "RegionId"],
    zone: NONE,
    profile: &["profile", "p"],
    endpoint: &["endpoint"],
    bucket: NONE,
    account: NONE,
};

/// The tool of this name.
pub(super) fn named(name: &str) -> Option<&'static Tool> {
    Some(match name {
        "aws" | "awscli" => &AWS,
        "gcloud" | "gcloud.py" => &GCLOUD,
        "az" | "azure.cli" => &AZ,
        "eksctl" => &EKSCTL,
        "kubectl" | "oc" => &CLUSTER,
        "doctl" => &DOCTL,
        "oci" => &OCI,
        "aliyun" => &ALIYUN,
        _ => return None,
    })
}
