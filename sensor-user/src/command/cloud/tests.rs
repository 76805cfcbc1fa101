//! Command lines of cloud tools, and what they ask for.

use proptest::prelude::*;

use super::*;

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn read(line: &str) -> Cloud {
    let words = words(line);
    let (name, arguments) = words.split_first().expect("a tool");
    understand(Call { name, arguments }).expect("it is a cloud's tool")
}

/// `provider service / operation class [region:source ...]`.
fn told(line: &str, environment: &[&str]) -> String {
    let cloud = read(line);
    let places = cloud.places(&environment.iter().copied());
    let places: Vec<String> =
        places.iter().map(|(region, source)| format!("{region}:{}", source.name())).collect();
    format!(
        "{} {} / {} {} [{}]",
        cloud.provider.name(),
        cloud.service.as_deref().unwrap_or("-"),
        cloud.operation.as_deref().unwrap_or("-"),
        cloud.class.name(),
        places.join(" ")
    )
}

/// A command line, and what it asks for.
const ROWS: &[(&str, &str)] = &[
    (
        "aws ec2 run-instances --region ap-east-1 --image-id ami-1",
        "aws ec2 / run-instances create [ap-east-1:option]",
    ),
    (
        "aws --region=me-south-1 --profile x ec2 run-instances",
        "aws ec2 / run-instances create [me-south-1:option]",
    ),
    (
        "aws ec2 run-instances --placement AvailabilityZone=us-east-1a,Tenancy=default",
        "aws ec2 / run-instances create [us-east-1:zone]",
    ),
    (
        "aws ec2 create-volume --availability-zone us-west-2-lax-1a",
        "aws ec2 / create-volume create [us-west-2:zone]",
    ),
    ("aws ec2 terminate-instances --instance-ids i-1", "aws ec2 / terminate-instances delete []"),
    ("aws ec2 stop-instances --instance-ids i-1", "aws ec2 / stop-instances stop []"),
    ("aws ec2 describe-instances", "aws ec2 / describe-instances list []"),
    ("aws sts get-caller-identity", "aws sts / get-caller-identity list []"),
    ("aws sts get-federation-token --name x", "aws sts / get-federation-token sign_in []"),
    ("aws sso login", "aws sso / login sign_in []"),
    (
        "aws account enable-region --region-name af-south-1",
        "aws account / enable-region enable_region [af-south-1:option]",
    ),
    (
        "aws ec2 modify-availability-zone-group --group-name us-west-2-lax-1 --opt-in-status opted-in",
        "aws ec2 / modify-availability-zone-group enable_region [us-west-2:zone]",
    ),
    ("aws s3 cp /etc/passwd s3://loot/x", "aws s3 / cp upload []"),
    ("aws s3 sync s3://loot .", "aws s3 / sync download []"),
    ("aws s3 rb s3://loot --force", "aws s3 / rb delete []"),
    ("aws secretsmanager get-secret-value --secret-id x", "aws secretsmanager / get-secret-value other []"),
    ("aws --version", "aws - / - other []"),
    (
        "gcloud compute instances create vm --zone=me-central2-a",
        "gcp compute / instances create create [me-central2:zone]",
    ),
    (
        "gcloud beta container clusters create c --location europe-west1-b",
        "gcp container / clusters create create [europe-west1:zone]",
    ),
    (
        "gcloud --project p compute disks delete d --zone europe-west1-b -q",
        "gcp compute / disks delete delete [europe-west1:zone]",
    ),
    ("gcloud auth print-access-token", "gcp auth / print-access-token sign_in []"),
    (
        "gcloud compute images add-iam-policy-binding i --member=user:x@y --role=r",
        "gcp compute / images add-iam-policy-binding share []",
    ),
    ("gcloud projects list", "gcp projects / list list []"),
    ("gcloud storage cp f gs://loot/", "gcp storage / cp upload []"),
    ("az vm create -g rg -n vm -l westeurope", "azure vm / create create [westeurope:option]"),
    ("az vm delete --ids x --yes", "azure vm / delete delete []"),
    ("az snapshot grant-access -n s -g rg", "azure snapshot / grant-access share []"),
    ("az login --identity", "azure login / login sign_in []"),
    ("az account list-locations", "azure account / list-locations list []"),
    (
        "az network public-ip create -l QatarCentral",
        "azure network / public-ip create create [qatarcentral:option]",
    ),
    (
        "eksctl create cluster --region il-central-1 --name c",
        "aws eks / create cluster create [il-central-1:option]",
    ),
    (
        "eksctl create cluster --zones=us-west-2a,us-west-2b",
        "aws eks / create cluster create [us-west-2:zone]",
    ),
    ("kubectl -n shop delete pod/web --now", "kubernetes pod / delete delete []"),
    ("kubectl delete deployments web", "kubernetes deployment / delete delete []"),
    ("kubectl get po -A", "kubernetes pod / get list []"),
    ("kubectl exec web -- cat /x", "kubernetes - / exec other []"),
    ("aws ec2 create-security-group --group-name my-sg-2", "aws ec2 / create-security-group create []"),
    (
        "doctl compute droplet create x --region sgp1",
        "digitalocean compute / droplet create create [sgp1:option]",
    ),
    (
        "oci --region me-jeddah-1 compute instance launch",
        "oracle compute / instance launch create [me-jeddah-1:option]",
    ),
    (
        "aliyun ecs RunInstances --RegionId cn-beijing",
        "alibaba ecs / RunInstances create [cn-beijing:option]",
    ),
    ("aliyun ecs DeleteInstance --InstanceId i", "alibaba ecs / DeleteInstance delete []"),
];

#[test]
fn what_is_asked_of_which_cloud_and_where() {
    for (line, expected) in ROWS {
        assert_eq!(told(line, &[]), *expected, "{line}");
    }
}

#[test]
fn the_environment_tells_what_no_option_does() {
    let environment = ["PATH=/bin", "AWS_DEFAULT_REGION=eu-south-2", "AWS_REGION=ap-east-1", "AWS_PROFILE=p"];
    assert!(told("aws ec2 run-instances", &environment).ends_with("[ap-east-1:environment]"));
    assert!(told("aws ec2 run-instances --region us-east-1", &environment).ends_with("[us-east-1:option]"));
    assert!(
        told("gcloud run deploy x", &["CLOUDSDK_COMPUTE_ZONE=me-west1-a"])
            .ends_with("[me-west1:environment]")
    );
    assert!(told("az vm create", &["AZURE_DEFAULTS_LOCATION=uaenorth"]).ends_with("[uaenorth:environment]"));
    let cloud = read("aws ec2 run-instances");
    assert_eq!(cloud.profile(&environment.into_iter()), Some("p"));
    assert_eq!(cloud.endpoint(&["AWS_ENDPOINT_URL=http://u@minio:9000/x"].into_iter()), Some("minio"));
    let own = read("aws --profile q --endpoint-url https://S3.example:443 s3 ls");
    assert_eq!(own.profile(&environment.into_iter()), Some("q"));
    assert_eq!(own.endpoint(&environment.into_iter()), Some("s3.example"));
}

#[test]
fn who_something_is_shared_with_and_which_bucket() {
    let share = read("aws ec2 modify-snapshot-attribute --snapshot-id snap-1 --user-ids 123456789012");
    assert_eq!((share.class, share.accounts), (Class::Share, vec!["123456789012".to_owned()]));
    let image =
        read("aws ec2 modify-image-attribute --launch-permission Add=[{UserId=123456789012},{Group=all}]");
    assert_eq!(image.accounts, ["123456789012", "all"]);
    let google =
        read("gcloud compute snapshots add-iam-policy-binding s --member=user:eve@example.org --role=r");
    assert_eq!(google.accounts, ["user:eve@example.org"]);
    assert_eq!(read("aws s3 cp f s3://loot/a/b").buckets, ["loot"]);
    assert_eq!(read("aws s3api put-object --bucket loot --key k").buckets, ["loot"]);
    assert!(read("aws ec2 describe-images --user-ids 123456789012").accounts.is_empty());
}

proptest! {
    /// Any words are read, and what is kept of them is bounded.
    #[test]
    fn any_words_are_read(tool in "(aws|gcloud|az|eksctl|kubectl|doctl|oci|aliyun)", words in prop::collection::vec("(-{0,3}[a-z=-]{0,8}|\\PC{0,12}|s3://\\PC{0,6})", 0..40)) {
        let cloud = understand(Call { name: &tool, arguments: &words }).expect("it is a cloud's tool");
        prop_assert!(cloud.buckets.len() <= PLACES_MAX && cloud.places(&std::iter::empty()).len() <= PLACES_MAX);
        prop_assert!(cloud.texts() <= 64 * 1024);
    }
}
