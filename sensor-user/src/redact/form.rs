//! The forms of secrets that are known, one row each: what it is called, what it looks like, who says so, and samples
//! that are made up.
//!
//! What has a pattern is known by its own text, wherever it stands. What has none is known by the words before it, which
//! `word.rs` reads.

use serde::{Deserialize, Deserializer, de};

/// A known form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    Option,
    Flag,
    Login,
    Variable,
    Header,
    Cookie,
    UrlPassword,
    UrlQuery,
    Json,
    PrivateKey,
    Jwt,
    Aws,
    Azure,
    Google,
    Digitalocean,
    Github,
    Gitlab,
    Slack,
    Stripe,
    Sendgrid,
    Npm,
    Pypi,
    Docker,
    Vault,
    Telegram,
    Webhook,
}

/// What is known of a form.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub form: Form,
    /// In the configuration, and in what stands for a secret.
    pub name: &'static str,
    pub what: &'static str,
    /// Who says that it looks so.
    pub source: &'static str,
    /// The first group that takes part is the secret; without a group all of it is. None: the words before it tell.
    pub pattern: Option<&'static str>,
    /// Texts with a secret between `«` and `»`, as a shell reads them. All are invented.
    pub samples: &'static [&'static str],
}

/// All of them. Lengths are minima, and lower than what is issued: a text may be cut.
pub const FORMS: [Row; 26] = [
    Row {
        form: Form::Option,
        name: "option",
        what: "Value of an option that is named like a secret: `--password X`, `--db-password=X`, `--token X`, `--api-key X`, `-passphrase X`",
        source: "https://www.gnu.org/software/wget/manual/wget.html#HTTP-Options",
        pattern: None,
        samples: &[
            "wget --user=bob --password=«correct-horse» https://h/f",
            "tool --token «a1b2c3d4e5» --verbose",
            "psh --api-key «0123456789» run",
            "java -Djavax.net.ssl.keyStorePassword=«changeit» -jar a.jar",
            "gpg --batch --passphrase '«two words»' -d f",
            "sh -c 'tool --client-secret=«s3cr3t» | tee log'",
        ],
    },
    Row {
        form: Form::Flag,
        name: "flag",
        what: "Value of a short option that is a secret with this program: mysql and mariadb `-pX`, sshpass `-p X`, redis-cli `-a X`, ldapsearch and its kin `-w X`, mongosh and its kin `-p X`, sqlcmd and bcp `-P X`, 7z `-pX`, zip and unzip `-P X`, openssl `pass:X`, and `login -p X` of docker, podman and their kin",
        source: "https://dev.mysql.com/doc/refman/8.4/en/password-security-user.html",
        pattern: None,
        samples: &[
            "mysql -u root -p«hunter2» shop",
            "mariadb-dump -p«hunter2» shop",
            "sudo docker exec db mysqldump -uroot -p«hunter2» shop",
            "sshpass -p «hunter2» ssh u@h",
            "sshpass -p«hunter2» ssh u@h",
            "redis-cli -h r -a «hunter2» KEYS '*'",
            "ldapsearch -x -D cn=admin -w «hunter2» uid=a",
            "mongosh -u root -p «hunter2» db",
            "sqlcmd -S h -U sa -P «hunter2»",
            "7z a -p«hunter2» a.7z f",
            "unzip -P «hunter2» a.zip",
            "openssl enc -aes-256-cbc -pass pass:«hunter2» -in f",
            "docker login -u bob -p «hunter2» registry.example",
            "bash -c \"mysql -p'«hunter2»' -e 'select 1'\"",
        ],
    },
    Row {
        form: Form::Login,
        name: "login",
        what: "Password of `user:password` or `user%password`: curl `-u`, `--user`, `-U`, `--proxy-user`; smbclient and rpcclient `-U`",
        source: "https://curl.se/docs/manpage.html#-u",
        pattern: None,
        samples: &[
            "curl -u bob:«hunter2» https://h/",
            "curl -sSubob:«hunter2» https://h/",
            "curl --proxy-user bob:«hunter2» https://h/",
            "smbclient -U bob%«hunter2» //h/share",
            "sh -c 'cd /tmp && curl -u \"bob:«hunter2»\" -O https://h/f'",
        ],
    },
    Row {
        form: Form::Variable,
        name: "variable",
        what: "Value of a variable, a key or a form's field that is named like a secret: `PGPASSWORD=X`, `AWS_SECRET_ACCESS_KEY=X`, `-e API_TOKEN=X`, `--set db.password=X`, `config set secret_key X`",
        source: "https://www.postgresql.org/docs/current/libpq-envars.html",
        pattern: None,
        samples: &[
            "env PGPASSWORD=«hunter2» psql -h db",
            "docker run -e MYSQL_ROOT_PASSWORD=«hunter2» -e LANG=C mysql",
            "docker run --env=GITHUB_TOKEN=«abcdef» image",
            "sh -c 'export AWS_SECRET_ACCESS_KEY=«wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzzzz»; aws s3 ls'",
            "helm upgrade web chart --set db.password=«hunter2»",
            "curl -d 'password=«hunter2»' https://h/login",
            "aws configure set aws_secret_access_key «wJalrXUtnFEMI»",
            "mount -t cifs -o username=bob,password=«hunter2» //h/s /mnt",
        ],
    },
    Row {
        form: Form::Header,
        name: "header",
        what: "Credentials of a header: `Authorization:` and `Proxy-Authorization:` (the scheme stays), `X-Api-Key:`, `X-Vault-Token:`, `PRIVATE-TOKEN:` and others named so",
        source: "https://www.rfc-editor.org/rfc/rfc9110#section-11.6.2",
        pattern: Some(
            r#"(?i)authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token|digest|negotiate|apikey|splunk|aws4-hmac-sha256)\s+)?([^\s"',;]+)"#,
        ),
        samples: &[
            "curl -H 'Authorization: Bearer «abc.def-ghi»' https://h/",
            "curl -H 'Authorization: Basic «Ym9iOmh1bnRlcjI=»' https://h/",
            "curl -H 'authorization: «abcdef and more»' https://h/",
            "wget --header='X-Api-Key: «0123456789»' https://h/",
            "curl --header 'PRIVATE-TOKEN: «abcdefgh»' https://h/",
            "curl -H'X-Vault-Token:«abcdefgh»' https://h/",
            "sh -c 'curl -H \"Authorization: token «abcdefgh»\" https://h/ >/tmp/f'",
            "python3 -c 'get(u, headers={\"Authorization\": \"Bearer «abcdefgh»\"})'",
        ],
    },
    Row {
        form: Form::Cookie,
        name: "cookie",
        what: "Cookies: header `Cookie:`, and `-b` of curl where it is no file",
        source: "https://www.rfc-editor.org/rfc/rfc6265#section-4.2",
        pattern: Some(r#"(?i)cookie:\s*([^\s;='"]+=[^\s;'"]*(?:;\s*[^\s;='"]+=[^\s;'"]*)*)"#),
        samples: &[
            "curl -b '«session=abcdef; theme=1»' https://h/",
            "curl -H 'Cookie: «session=abcdef»' https://h/",
        ],
    },
    Row {
        form: Form::UrlPassword,
        name: "url_password",
        what: "Password in a URL: `https://user:X@host`",
        source: "https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1",
        pattern: Some(r#"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#"'@:]*:([^\s/?#"'@]+(?:@[^\s/?#"'@]+)*)@"#),
        samples: &[
            "git clone https://bob:«hunter2»@git.example/r.git",
            "psql postgresql://app:«p@ss»@db/shop",
            "redis-cli -u redis://:«hunter2»@r:6379/0",
        ],
    },
    Row {
        form: Form::UrlQuery,
        name: "url_query",
        what: "Secret in the query of a URL: `?token=X`, `&api_key=X`, `&sig=X`, `X-Amz-Signature=X`, `X-Amz-Credential=X`",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html",
        pattern: Some(
            r#"(?i)[?&;](?:[a-z0-9_.-]*(?:token|secret|passwd|password|api_?key|apikey|access_?key|signature|credential)|sig|pwd)=([^&\s"'#]+)"#,
        ),
        samples: &[
            "curl 'https://h/f?a=1&token=«abcdefgh»&b=2'",
            "curl -d 'user=bob&password=«hunter2»&go=1' https://h/login",
            "wget 'https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature=«0123456789abcdef»'",
            "azcopy copy f 'https://a.blob.core.windows.net/c?sv=2022-11-02&sig=«abc%2Bdef%3D»'",
        ],
    },
    Row {
        form: Form::Json,
        name: "json",
        what: "Text of a JSON member that is named like a secret: `\"password\": \"X\"`",
        source: "https://www.rfc-editor.org/rfc/rfc8259#section-4",
        pattern: Some(
            r#"(?i)\\?"[a-z0-9_.-]*(?:passwd|password|passphrase|secret|token|api_?key|access_?key|private_?key)\\?"\s*:\s*\\?"([^"\\]+)"#,
        ),
        samples: &[
            r#"curl -d '{"user":"bob","password":"«hunter2»"}' https://h/"#,
            r#"curl -d '{"access_token" : "«hunter2»", "a": "b"}' https://h/"#,
        ],
    },
    Row {
        form: Form::PrivateKey,
        name: "private_key",
        what: "Private key in PEM: what stands between `-----BEGIN … PRIVATE KEY-----` and its end",
        source: "https://www.rfc-editor.org/rfc/rfc7468#section-10",
        pattern: Some(r"(?s)-----BEGIN [A-Z0-9 ]{0,20}PRIVATE KEY[A-Z ]{0,6}-----\s*(.+?)\s*(?:-----END|$)"),
        samples: &[
            "printf '-----BEGIN OPENSSH PRIVATE KEY-----\\n«b3BlbnNzaC1rZXktdjEAAAAA»-----END OPENSSH PRIVATE KEY-----'",
            "echo '-----BEGIN RSA PRIVATE KEY-----\n«MIIEow\nIBAAKC»\n-----END RSA PRIVATE KEY-----'",
        ],
    },
    Row {
        form: Form::Jwt,
        name: "jwt",
        what: "JSON Web Token, as service accounts and kubeconfigs have them: `eyJ…`",
        source: "https://www.rfc-editor.org/rfc/rfc7519#section-3",
        pattern: Some(r"(?-u:\b)eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_.-]+"),
        samples: &["verify «eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl» now"],
    },
    Row {
        form: Form::Aws,
        name: "aws",
        what: "Id of an AWS access key: `AKIA…`, `ASIA…`. Its secret half has no form of its own: it is known by its name",
        source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids",
        pattern: Some(r"(?-u:\b)(?:AKIA|ASIA)[A-Z0-9]{12,}"),
        samples: &["echo «AKIAQQQQQQQQQQQQQQQQ» done", "echo «ASIAZZZZZZZZZZZZZZZZ»"],
    },
    Row {
        form: Form::Azure,
        name: "azure",
        what: "Keys in Azure's connection strings: `AccountKey=X`, `SharedAccessKey=X`, `SharedAccessSignature=X`",
        source: "https://learn.microsoft.com/en-us/azure/storage/common/storage-configure-connection-string",
        pattern: Some(r#"(?i)(?:AccountKey|SharedAccessKey|SharedAccessSignature)=([^;\s"']+)"#),
        samples: &[
            "tool 'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=«Zm9vYmFyYmF6==»;EndpointSuffix=core.windows.net'",
        ],
    },
    Row {
        form: Form::Google,
        name: "google",
        what: "Google's API keys `AIza…`, access tokens `ya29.…`, client secrets `GOCSPX-…`",
        source: "https://cloud.google.com/docs/authentication/api-keys",
        pattern: Some(
            r"(?-u:\b)AIza[A-Za-z0-9_-]{20,}|(?-u:\b)ya29\.[A-Za-z0-9_.-]{10,}|(?-u:\b)GOCSPX-[A-Za-z0-9_-]{10,}",
        ),
        samples: &["use «AIzaSyA0000000000000000000000000000000» here", "use «ya29.a0AfH6SMBxxxxxxxxx»"],
    },
    Row {
        form: Form::Digitalocean,
        name: "digitalocean",
        what: "DigitalOcean's tokens: `dop_v1_…`, `doo_v1_…`, `dor_v1_…`",
        source: "https://docs.digitalocean.com/notes/2022/api-token-format/",
        pattern: Some(r"(?-u:\b)do[opr]_v1_[a-f0-9]{10,}"),
        samples: &["use «dop_v1_0123456789abcdef0123456789abcdef»"],
    },
    Row {
        form: Form::Github,
        name: "github",
        what: "GitHub's tokens: `ghp_`, `gho_`, `ghu_`, `ghs_`, `ghr_`, `github_pat_`",
        source: "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats",
        pattern: Some(r"(?-u:\b)(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{10,}"),
        samples: &[
            "git clone https://«ghp_000000000000000000000000000000000000»@github.com/a/b",
            "use «github_pat_11AAAAAAA0000000000000_0000000000000»",
        ],
    },
    Row {
        form: Form::Gitlab,
        name: "gitlab",
        what: "GitLab's tokens: `glpat-`, `gldt-`, `glrt-`, `glcbt-`, `glptt-`, `glft-`, `glimt-`, `glagent-`, `gloas-`, `glsoat-`, `glffct-`",
        source: "https://docs.gitlab.com/security/tokens/#token-prefixes",
        pattern: Some(r"(?-u:\b)gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[A-Za-z0-9_.-]{10,}"),
        samples: &["use «glpat-00000000000000000000» now"],
    },
    Row {
        form: Form::Slack,
        name: "slack",
        what: "Slack's tokens: `xoxb-`, `xoxp-`, `xoxa-`, `xoxr-`, `xoxs-`, `xoxe-`, `xapp-`",
        source: "https://docs.slack.dev/authentication/tokens",
        pattern: Some(r"(?-u:\b)xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}|(?-u:\b)xapp-[A-Za-z0-9-]{10,}"),
        samples: &["use «xoxb-000000000000-000000000000-AAAAAAAA»", "use «xapp-1-A00000000-000000000-aaaa»"],
    },
    Row {
        form: Form::Stripe,
        name: "stripe",
        what: "Stripe's secret keys: `sk_live_`, `sk_test_`, `rk_live_`, `rk_test_`, `whsec_`",
        source: "https://docs.stripe.com/keys",
        pattern: Some(r"(?-u:\b)(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9]{10,}"),
        samples: &["use «sk_live_000000000000000000000000» now"],
    },
    Row {
        form: Form::Sendgrid,
        name: "sendgrid",
        what: "SendGrid's API keys: `SG.….…`",
        source: "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys",
        pattern: Some(r"(?-u:\b)SG\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
        samples: &["use «SG.0000000000000000000000.0000000000000000000000000000000000000000000» now"],
    },
    Row {
        form: Form::Npm,
        name: "npm",
        what: "npm's access tokens: `npm_…`",
        source: "https://github.blog/security/announcing-npms-new-access-token-format/",
        pattern: Some(r"(?-u:\b)npm_[A-Za-z0-9]{20,}"),
        samples: &["npm publish //registry.npmjs.org/:x=«npm_000000000000000000000000000000000000»"],
    },
    Row {
        form: Form::Pypi,
        name: "pypi",
        what: "PyPI's API tokens: `pypi-AgE…`",
        source: "https://pypi.org/help/#apitoken",
        pattern: Some(r"(?-u:\b)pypi-AgE[A-Za-z0-9_-]{10,}"),
        samples: &["twine upload -u __token__ dist/a «pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAw»"],
    },
    Row {
        form: Form::Docker,
        name: "docker",
        what: "Docker Hub's access tokens: `dckr_pat_…`, `dckr_oat_…`",
        source: "https://docs.docker.com/security/access-tokens/",
        pattern: Some(r"(?-u:\b)dckr_[po]at_[A-Za-z0-9_-]{10,}"),
        samples: &["use «dckr_pat_000000000000000000000000000» now"],
    },
    Row {
        form: Form::Vault,
        name: "vault",
        what: "Vault's tokens: `hvs.…`, `hvb.…`, `hvr.…`",
        source: "https://developer.hashicorp.com/vault/docs/concepts/tokens#token-prefixes",
        pattern: Some(r"(?-u:\b)hv[sbr]\.[A-Za-z0-9_-]{10,}"),
        samples: &["vault login «hvs.CAESI00000000000000000000»"],
    },
    Row {
        form: Form::Telegram,
        name: "telegram",
        what: "Tokens of Telegram's bots, as `/botX/` of their API has them",
        source: "https://core.telegram.org/bots/api#authorizing-your-bot",
        pattern: Some(r"(?:(?-u:\b)|bot)([0-9]{6,12}:[A-Za-z0-9_-]{30,})"),
        samples: &[
            "curl https://api.telegram.org/bot«123456789:AAE00000000000000000000000000000000»/sendMessage",
        ],
    },
    Row {
        form: Form::Webhook,
        name: "webhook",
        what: "What of a webhook's URL is its secret: Slack's, Discord's, Teams'",
        source: "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
        pattern: Some(
            r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]+)|discord(?:app)?\.com/api(?:/v[0-9]+)?/webhooks/[0-9]+/([A-Za-z0-9_-]+)|webhook\.office\.com/webhookb2/([A-Za-z0-9@/_-]+)",
        ),
        samples: &[
            "curl -d x https://hooks.slack.com/services/«T00000000/B00000000/XXXXXXXXXXXX»",
            "curl -d x https://discord.com/api/webhooks/123456789012345678/«abcdefghijklmnop»",
        ],
    },
];

impl Form {
    #[must_use]
    pub fn row(self) -> Option<&'static Row> {
        FORMS.iter().find(|row| row.form == self)
    }

    /// In the configuration, and in what stands for a secret.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("", |row| row.name)
    }

    fn by_name(name: &str) -> Option<Self> {
        FORMS.iter().find(|row| row.name == name).map(|row| row.form)
    }
}

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::by_name(&name).ok_or_else(|| {
            let known: Vec<&str> = FORMS.iter().map(|row| row.name).collect();
            de::Error::custom(format!("`{name}` is no form of secrets; these are: {}", known.join(", ")))
        })
    }
}
