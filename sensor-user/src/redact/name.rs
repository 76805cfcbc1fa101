//! Names that say of a value that it is a secret: of options, variables, fields and headers.

/// Ends of names, without what joins their words.
const ENDS: [&str; 18] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "authkey",
    "accountkey",
    "storagekey",
    "masterkey",
    "signingkey",
    "encryptionkey",
    "sharedkey",
    "sessionkey",
    "connectionstring",
    "bearer",
];
/// Whole last words of names: as ends of longer words they would be found in `compass`.
const WORDS: [&str; 3] = ["pass", "pwd", "psk"];
/// Names that end so and whose values are none: where a list goes on, whether somebody is asked.
const OTHERS: [&str; 11] = [
    "nexttoken",
    "startingtoken",
    "pagetoken",
    "continuationtoken",
    "nopassword",
    "nopass",
    "askpassword",
    "askpass",
    "oldpwd",
    "changepassword",
    "resetpassword",
];
/// Longest name that is looked at, bytes.
const NAME_MAX: usize = 96;

/// Whether what has this name is a secret. Case and joints do not count: `db.rootPassword`, `DB_ROOT_PASSWORD`.
pub(super) fn is_secret(name: &str) -> bool {
    if name.len() > NAME_MAX || !name.is_ascii() {
        return false;
    }
    let joint = |byte: u8| matches!(byte, b'-' | b'_' | b'.' | b':' | b'[' | b']' | b'/');
    let mut bare = [0; NAME_MAX];
    let mut length = 0;
    for (to, byte) in bare.iter_mut().zip(name.bytes().filter(|byte| !joint(*byte))) {
        *to = byte.to_ascii_lowercase();
        length += 1;
    }
    let bare = bare.get(..length).unwrap_or_default();
    // The last word of `PWD` alone is the working directory.
    let last = name.trim_end_matches(['_', '-', ']']).rsplit(['-', '_', '.', '[']).next().unwrap_or(name);
    let is_word = WORDS.iter().any(|word| last.eq_ignore_ascii_case(word));
    let is_word = is_word && !(name.eq_ignore_ascii_case("pwd"));
    (is_word || ENDS.iter().any(|end| bare.ends_with(end.as_bytes())))
        && !OTHERS.iter().any(|other| bare == other.as_bytes())
}

/// The same of a variable or a property. Such a name may be of any length, and its end tells.
pub(super) fn is_secret_variable(name: &str) -> bool {
    is_secret(name.get(name.len().saturating_sub(NAME_MAX)..).unwrap_or(name))
}

/// Whether a header of this name has credentials.
pub(super) fn is_secret_header(name: &str) -> bool {
    const HEADERS: [&str; 5] = [
        "authorization",
        "proxy-authorization",
        "ocp-apim-subscription-key",
        "x-auth-key",
        "x-amz-security-token",
    ];
    HEADERS.iter().any(|header| name.eq_ignore_ascii_case(header))
        || (name.contains('-') && is_secret(name))
        || name.eq_ignore_ascii_case("apikey")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in [
            "password",
            "db-password",
            "PGPASSWORD",
            "MYSQL_PWD",
            "rootPassword",
            "db.password",
            "token",
            "AWS_SECRET_ACCESS_KEY",
            "aws_session_token",
            "api-key",
            "apikey",
            "OPENAPI_KEY",
            "_authToken",
            "client_secret",
            "AZURE_STORAGE_CONNECTION_STRING",
            "pass",
            "ftp-pass",
            "oauth2-bearer",
            "user[password]",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "PWD",
            "OLDPWD",
            "compass",
            "bypass",
            "key",
            "sort-key",
            "password-file",
            "password-stdin",
            "token-ttl",
            "secret-id",
            "AWS_ACCESS_KEY_ID",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "next-token",
            "no-password",
            "",
            "author",
            "tokenizer",
            "PUBLIC_KEY",
            "grant_type",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn a_long_name_is_known_by_its_end() {
        let name = |end: &str| format!("{}.{end}", "org.example".repeat(20));
        assert!(is_secret_variable(&name("keyStorePassword")) && is_secret_variable("PGPASSWORD"));
        assert!(!is_secret_variable(&name("keyStore")) && !is_secret_variable(""));
        assert!(!is_secret(&name("keyStorePassword")), "prose may be before a word that stands alone");
    }

    #[test]
    fn headers_too() {
        for name in ["Authorization", "x-api-key", "X-Vault-Token", "PRIVATE-TOKEN", "apikey"] {
            assert!(is_secret_header(name), "{name}");
        }
        for name in ["Accept", "Content-Type", "token", "http", "X-Request-Id"] {
            assert!(!is_secret_header(name), "{name}");
        }
    }
}
