//! Who this host is to a broker: SASL PLAIN (RFC 4616) and SCRAM (RFC 5802, RFC 7677), in requests of their own.
//!
//! SCRAM never shows the password, and the broker has to prove that it knows it too. PLAIN does show it, and is used over TLS
//! and on loopback only. Passwords are taken as they are: Kafka prepares none either (SASLprep, RFC 4013).

use std::fmt;
use std::io;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::digest;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hmac, pbkdf2};
use serde::Deserialize;

use super::fault::Fault;
use crate::sink::secret::{self, SecretError};

/// Rounds that a broker may ask for: fewer than RFC 7677 section 4 has would show the password to who listens, more would keep
/// a processor busy for longer than a tenth of a second. Kafka's own are 4,096 to 16,384.
const ROUNDS: std::ops::RangeInclusive<u32> = 4096..=100_000;

/// Bytes of chance in a nonce.
const NONCE: usize = 18;

/// No channel binding, in base64: `n,,`.
const UNBOUND: &str = "biws";

/// How a password is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    Plain,
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    #[default]
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

impl Mechanism {
    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// What lets this host in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Login {
    pub mechanism: Mechanism,
    pub user: String,
    pub password_file: PathBuf,
}

/// A password, which nothing shows.
pub(super) struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl Login {
    /// The password as the file has it now.
    ///
    /// # Errors
    /// The file cannot be used; nothing of it is told.
    pub(super) fn password(&self) -> Result<Password, SecretError> {
        let text = secret::text(&self.password_file)?;
        let line = text.trim_end_matches(['\r', '\n']);
        if line.is_empty() || line.contains(char::is_control) {
            let reason = "it has more than one line, or a control character";
            return Err(SecretError::Unfit { path: self.password_file.clone(), reason });
        }
        Ok(Password(line.to_owned()))
    }

    /// All that PLAIN says.
    pub(super) fn plain(&self, password: &Password) -> Vec<u8> {
        format!("\0{}\0{}", self.user, password.0).into_bytes()
    }
}

/// A conversation by SCRAM, from the client's side.
pub(super) struct Scram {
    hash: Hash,
    /// The client's first words, without their header.
    first: String,
    nonce: String,
}

#[derive(Clone, Copy)]
struct Hash {
    pbkdf2: pbkdf2::Algorithm,
    hmac: hmac::Algorithm,
    digest: &'static digest::Algorithm,
}

/// What the client says last, and what the broker must say then.
pub(super) struct Proof {
    pub(super) token: String,
    server: hmac::Key,
    whole: String,
}

impl Scram {
    /// None: the mechanism is none of these.
    ///
    /// # Errors
    /// The system has no chance to give.
    pub(super) fn new(login: &Login) -> io::Result<Option<Self>> {
        let mut chance = [0; NONCE];
        let given = SystemRandom::new().fill(&mut chance);
        given.map_err(|_| io::Error::other("this system gives no random numbers"))?;
        Ok(Self::with_nonce(login, STANDARD.encode(chance)))
    }

    fn with_nonce(login: &Login, nonce: String) -> Option<Self> {
        let hash = match login.mechanism {
            Mechanism::Plain => return None,
            Mechanism::ScramSha256 => {
                Hash { pbkdf2: pbkdf2::PBKDF2_HMAC_SHA256, hmac: hmac::HMAC_SHA256, digest: &digest::SHA256 }
            }
            Mechanism::ScramSha512 => {
                Hash { pbkdf2: pbkdf2::PBKDF2_HMAC_SHA512, hmac: hmac::HMAC_SHA512, digest: &digest::SHA512 }
            }
        };
        let user = login.user.replace('=', "=3D").replace(',', "=2C");
        Some(Self { hash, first: format!("n={user},r={nonce}"), nonce })
    }

    /// What it begins with.
    pub(super) fn opening(&self) -> String {
        format!("n,,{}", self.first)
    }

    /// The answer to what the broker said first. It takes some milliseconds, a tenth of a second at most.
    ///
    /// # Errors
    /// What it said makes no sense.
    pub(super) fn prove(&self, said: &[u8], password: &Password) -> Result<Proof, Fault> {
        let said = std::str::from_utf8(said).map_err(|_| Fault::LoginBroken("it is no text"))?;
        let (nonce, salt, rounds) = self.challenge(said)?;
        let mut salted = vec![0; self.hash.digest.output_len()];
        pbkdf2::derive(self.hash.pbkdf2, rounds, &salt, password.0.as_bytes(), &mut salted);
        let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(self.hash.hmac, key), text);
        let own = sign(&salted, b"Client Key");
        let stored = digest(self.hash.digest, own.as_ref());
        let last = format!("c={UNBOUND},r={nonce}");
        let whole = format!("{},{said},{last}", self.first);
        let signature = sign(stored.as_ref(), whole.as_bytes());
        let proof: Vec<u8> =
            own.as_ref().iter().zip(signature.as_ref()).map(|(one, other)| one ^ other).collect();
        let server = hmac::Key::new(self.hash.hmac, sign(&salted, b"Server Key").as_ref());
        Ok(Proof { token: format!("{last},p={}", STANDARD.encode(proof)), server, whole })
    }

    fn challenge<'s>(&self, said: &'s str) -> Result<(&'s str, Vec<u8>, std::num::NonZeroU32), Fault> {
        let mut parts = said.split(',');
        let mut part = |name: &str| parts.next().and_then(|part| part.strip_prefix(name));
        let (Some(nonce), Some(salt), Some(rounds)) = (part("r="), part("s="), part("i=")) else {
            return Err(Fault::LoginBroken("it gives no salt"));
        };
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(Fault::LoginBroken("its nonce is not its own"));
        }
        let salt = STANDARD.decode(salt).map_err(|_| Fault::LoginBroken("its salt is no base64"))?;
        let rounds = rounds.parse().ok().filter(|rounds| ROUNDS.contains(rounds));
        let rounds = rounds.and_then(std::num::NonZeroU32::new);
        Ok((nonce, salt, rounds.ok_or(Fault::LoginBroken("its number of rounds is no safe one"))?))
    }
}

impl Proof {
    /// Whether the broker knows the password too.
    pub(super) fn holds(&self, said: &[u8]) -> bool {
        let said = said.strip_prefix(b"v=").and_then(|said| STANDARD.decode(said).ok());
        said.is_some_and(|said| hmac::verify(&self.server, self.whole.as_bytes(), &said).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(mechanism: Mechanism, user: &str) -> Login {
        Login { mechanism, user: user.to_owned(), password_file: PathBuf::new() }
    }

    /// The example of RFC 7677 section 3.
    #[test]
    fn speaks_as_the_example_does() {
        let login = login(Mechanism::ScramSha256, "user");
        let scram = Scram::with_nonce(&login, "rOprNGfwEbeRWgbNEkqO".to_owned()).unwrap();
        assert_eq!(scram.opening(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let said = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = scram.prove(said, &Password("pencil".to_owned())).unwrap();
        assert_eq!(
            proof.token,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(proof.holds(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(
            !proof.holds(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=")
                && !proof.holds(b"v=")
                && !proof.holds(b"")
        );
    }

    #[test]
    fn names_cannot_break_out() {
        let scram = Scram::with_nonce(&login(Mechanism::ScramSha512, "a=b,c"), "x".to_owned()).unwrap();
        assert_eq!(scram.opening(), "n,,n=a=3Db=2Cc,r=x");
        assert!(Scram::with_nonce(&login(Mechanism::Plain, "a"), "x".to_owned()).is_none());
    }

    #[test]
    fn a_challenge_that_makes_no_sense_is_refused() {
        let scram = Scram::with_nonce(&login(Mechanism::ScramSha256, "u"), "abc".to_owned()).unwrap();
        for (said, reason) in [
            ("", "no salt"),
            ("e=other-error", "no salt"),
            ("r=abc,s=AAAA,i=4096", "not its own"),
            ("r=xyz1,s=AAAA,i=4096", "not its own"),
            ("r=abc1,s=!,i=4096", "no base64"),
            ("r=abc1,s=AAAA,i=4095", "no safe one"),
            ("r=abc1,s=AAAA,i=100001", "no safe one"),
            ("r=abc1,s=AAAA,i=-1", "no safe one"),
            ("s=AAAA,r=abc1,i=4096", "no salt"),
        ] {
            let error = scram.prove(said.as_bytes(), &Password("p".to_owned())).err().unwrap().to_string();
            assert!(error.contains(reason), "{said}: {error}");
        }
    }

    #[test]
    fn fuzzed_challenges_are_answered_or_refused() {
        let scram = Scram::with_nonce(&login(Mechanism::ScramSha256, "u"), "abc".to_owned()).unwrap();
        let seeds = [b"r=abc1,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".to_vec(), b"v=6rriTRBi23WpRR/w".to_vec()];
        let server = hmac::Key::new(hmac::HMAC_SHA256, b"k");
        let proof = Proof { token: String::new(), server, whole: String::new() };
        crate::fuzz::run(&seeds, |bytes, _| {
            // Without the rounds themselves: they take their milliseconds, as often as asked.
            if let Ok(text) = std::str::from_utf8(bytes)
                && let Ok((nonce, salt, rounds)) = scram.challenge(text)
            {
                assert!(
                    nonce.starts_with("abc") && salt.len() < bytes.len() && ROUNDS.contains(&rounds.get())
                );
            }
            assert!(!proof.holds(bytes));
        });
    }

    #[test]
    fn a_password_is_one_line_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut login = login(Mechanism::Plain, "u");
        login.password_file = folder.path().join("password");
        assert!(login.password().unwrap_err().to_string().starts_with("cannot read "));
        for (text, reason) in
            [("\n", "it is empty"), ("s3cret\nmore\n", "more than one line"), ("s\u{7}", "control")]
        {
            std::fs::write(&login.password_file, text).unwrap();
            let error = login.password().unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains("s3cret"), "{error}");
        }
        std::fs::write(&login.password_file, " s3cret \n").unwrap();
        let password = login.password().unwrap();
        assert_eq!(login.plain(&password), b"\0u\0 s3cret ");
        assert!(!format!("{password:?}").contains("s3cret"));
    }
}
