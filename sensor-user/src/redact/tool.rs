//! Programs whose short options take secrets, by their own manuals.

use super::form::Form;

/// What an option's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// All of it is a secret.
    Secret(Form),
    /// A user and, behind this sign, a password.
    Pair(char),
    /// Where a password comes from; `pass:` says it.
    Source,
    Cookie,
    Header,
    /// A secret, unless it says where one is.
    Named,
}

/// How a value goes with its option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum With {
    /// In the same word only; the option alone has it asked for.
    Same,
    /// In the next word only.
    Next,
    /// Either.
    Either,
    /// Either, and other letters may stand between the dash and it: `-sSu`.
    Cluster,
}

/// A program, or several with the same options.
#[derive(Debug)]
pub(super) struct Tool {
    names: &'static [&'static str],
    /// Of its names only beginnings are given.
    is_family: bool,
    /// Only behind the word `login`.
    is_login: bool,
    options: &'static [(&'static str, With, Kind)],
}

const SECRET: Kind = Kind::Secret(Form::Flag);

const TOOLS: [Tool; 13] = [
    // https://dev.mysql.com/doc/refman/8.4/en/connection-options.html, https://mariadb.com/kb/en/mariadb-command-line-client/
    Tool {
        names: &["mysql", "mariadb"],
        is_family: true,
        is_login: false,
        options: &[("-p", With::Same, SECRET)],
    },
    // sshpass(1)
    Tool { names: &["sshpass"], is_family: false, is_login: false, options: &[("-p", With::Either, SECRET)] },
    // https://curl.se/docs/manpage.html
    Tool {
        names: &["curl"],
        is_family: false,
        is_login: false,
        options: &[
            ("-u", With::Cluster, Kind::Pair(':')),
            ("-U", With::Cluster, Kind::Pair(':')),
            ("-b", With::Cluster, Kind::Cookie),
            ("-H", With::Cluster, Kind::Header),
            ("--user", With::Either, Kind::Pair(':')),
            ("--proxy-user", With::Either, Kind::Pair(':')),
            ("--cookie", With::Either, Kind::Cookie),
            ("-E", With::Cluster, Kind::Pair(':')),
            ("--cert", With::Either, Kind::Pair(':')),
        ],
    },
    // https://redis.io/docs/latest/develop/tools/cli/
    Tool {
        names: &["redis-cli", "valkey-cli"],
        is_family: false,
        is_login: false,
        options: &[("-a", With::Next, SECRET)],
    },
    // ldapsearch(1), ldapmodify(1), ldappasswd(1)
    Tool {
        names: &[
            "ldapsearch",
            "ldapadd",
            "ldapmodify",
            "ldapdelete",
            "ldapwhoami",
            "ldapcompare",
            "ldappasswd",
            "ldapmodrdn",
        ],
        is_family: false,
        is_login: false,
        options: &[("-w", With::Either, SECRET)],
    },
    // https://www.mongodb.com/docs/mongodb-shell/reference/options/
    Tool { names: &["mongo"], is_family: true, is_login: false, options: &[("-p", With::Either, SECRET)] },
    // https://learn.microsoft.com/en-us/sql/tools/sqlcmd/sqlcmd-utility
    Tool {
        names: &["sqlcmd", "bcp"],
        is_family: false,
        is_login: false,
        options: &[("-P", With::Either, SECRET)],
    },
    // https://7-zip.opensource.jp/chm/cmdline/switches/password.htm
    Tool {
        names: &["7z", "7za", "7zr", "7zz"],
        is_family: false,
        is_login: false,
        options: &[("-p", With::Same, SECRET)],
    },
    // zip(1), unzip(1)
    Tool {
        names: &["zip", "unzip"],
        is_family: false,
        is_login: false,
        options: &[("-P", With::Either, SECRET)],
    },
    // openssl-passphrase-options(1)
    Tool {
        names: &["openssl"],
        is_family: false,
        is_login: false,
        options: &[
            ("-pass", With::Next, Kind::Source),
            ("-passin", With::Next, Kind::Source),
            ("-passout", With::Next, Kind::Source),
        ],
    },
    // smbclient(1), rpcclient(1)
    Tool {
        names: &["smbclient", "rpcclient", "smbget"],
        is_family: false,
        is_login: false,
        options: &[("-U", With::Either, Kind::Pair('%')), ("--user", With::Either, Kind::Pair('%'))],
    },
    // https://docs.docker.com/reference/cli/docker/login/, podman-login(1)
    Tool {
        names: &["docker", "podman", "nerdctl", "buildah", "skopeo", "oras", "helm", "oc", "az", "crane"],
        is_family: false,
        is_login: true,
        options: &[("-p", With::Either, SECRET)],
    },
    // wget(1): its headers are read as any others are.
    Tool {
        names: &["wget"],
        is_family: false,
        is_login: false,
        options: &[("--header", With::Either, Kind::Header)],
    },
];

impl Tool {
    /// The program of this name.
    pub(super) fn by_name(name: &str) -> Option<&'static Self> {
        TOOLS.iter().find(|tool| {
            tool.names
                .iter()
                .any(|known| if tool.is_family { name.starts_with(known) } else { name == *known })
        })
    }

    /// What a word's option takes, and where in the word that begins; none: it is the next word.
    pub(super) fn option(&self, word: &str, has_login: bool) -> Option<(Kind, Option<usize>)> {
        if self.is_login && !has_login {
            return None;
        }
        self.options.iter().find_map(|(option, with, kind)| {
            let at = place(word, option, *with)?;
            Some((*kind, at))
        })
    }
}

/// Where the value of an option begins, if a word is that option.
fn place(word: &str, option: &str, with: With) -> Option<Option<usize>> {
    let is_long = option.len() > 2;
    if word == option {
        return (with != With::Same).then_some(None);
    }
    let behind = match with {
        With::Next => return None,
        With::Cluster => clustered(word, option)?,
        With::Same | With::Either => word.strip_prefix(option).map(|_| option.len())?,
    };
    let rest = word.get(behind..)?;
    match (is_long, rest.strip_prefix('=')) {
        _ if rest.is_empty() => Some(None),
        (true, None) => None,
        (true | false, Some(_)) => Some(Some(behind + 1)),
        (false, None) => Some(Some(behind)),
    }
}

/// curl's short options that take no value may stand before one that does.
fn clustered(word: &str, option: &str) -> Option<usize> {
    const BARE: &[u8] = b"#0123469aBfgGiIjJklLMnNOpqRsSvV";
    let letter = *option.as_bytes().get(1)?;
    let letters = word.strip_prefix('-').filter(|rest| !rest.starts_with('-'))?;
    let at = letters.bytes().position(|byte| !BARE.contains(&byte))?;
    (letters.as_bytes().get(at) == Some(&letter)).then_some(at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(tool: &str, word: &str) -> Option<Option<usize>> {
        Tool::by_name(tool).unwrap().option(word, false).map(|(_, at)| at)
    }

    #[test]
    fn options_are_read_as_their_programs_do() {
        assert_eq!(option("mysqldump", "-psecret"), Some(Some(2)));
        assert_eq!(option("mysql", "-p"), None, "it asks");
        assert_eq!(option("sshpass", "-p"), Some(None));
        assert_eq!(option("curl", "-sSu"), Some(None));
        assert_eq!(option("curl", "-sSubob:x"), Some(Some(4)));
        assert_eq!(option("curl", "-o/tmp/u"), None);
        assert_eq!(option("curl", "--user-agent"), None);
        assert_eq!(option("curl", "--user=bob:x"), Some(Some(7)));
        assert_eq!(option("docker", "-p"), None, "a port");
    }
}
