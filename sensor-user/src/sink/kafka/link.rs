//! One connection to a broker: opened, logged in over, asked one thing after the other.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until, timeout};

use super::answer::{ANSWER_MAX, Handshake, Login as LoginAnswer, Versions};
use super::code::Code;
use super::fault::{Fault, after, told};
use super::login::{Login, Scram};
use super::request::{self, Call};
use super::target::KafkaTarget;
use super::wire::{Malformed, Reader};
use crate::sink::authority::shown;
use crate::sink::socket::{self, CONNECT_TIMEOUT};
use crate::sink::tls;

/// An answer that is not whole within this time does not come. Longer than a broker waits for its replicas, so that it can
/// say that these are missing.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// A broker that has not answered all that an open connection takes within this time is none.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest pause that a broker is left alone for. One with a quota stops reading for as long by itself.
const THROTTLE_MAX: Duration = Duration::from_secs(30);

/// What part of a login's lifetime is used: requests under way at its end would be refused.
const LIFETIME_USED: u32 = 80;

/// Bytes before an answer: its length, then the number of its request.
const HEAD: usize = 4;

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// An open connection.
pub(super) struct Link {
    stream: Box<dyn Stream>,
    /// What it asked this host for, over TLS.
    tls: Option<Arc<tls::Answer>>,
    pub(super) host: String,
    pub(super) port: u16,
    versions: Option<Versions>,
    correlation: i32,
    /// Until when it wants to be left alone.
    quiet_until: Option<Instant>,
    /// Until when its login holds.
    expires: Option<Instant>,
    /// It has taken a batch: what fails now may only mean that the broker closed it meanwhile.
    pub(super) is_proven: bool,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Link {
    /// Connects to a broker and logs in; where the target says so, over TLS, verified before anything is sent.
    ///
    /// # Errors
    /// What is wrong with the broker, or with a file that holds a secret.
    pub(super) async fn open(target: &KafkaTarget, host: &str, port: u16) -> io::Result<Self> {
        if target.would_show_password(host) {
            return Err(Fault::Clear(shown(host, port)).into());
        }
        let connecting = async {
            let (stream, tls): (Box<dyn Stream>, _) = match &target.tls {
                None => (Box::new(socket::connect(host, port).await?), None),
                Some(settings) => {
                    let place = settings.at(host.to_owned(), port);
                    let place = place.map_err(|_| Fault::Place(told(&shown(host, port))))?;
                    let (stream, answer) = tls::connect(&place, &[]).await?;
                    (Box::new(stream), Some(answer))
                }
            };
            Ok::<_, io::Error>((stream, tls))
        };
        let (stream, tls) = timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or_else(|_| Err(silent()))?;
        let mut link = Self {
            stream,
            tls,
            host: host.to_owned(),
            port,
            versions: None,
            correlation: 0,
            quiet_until: None,
            expires: None,
            is_proven: false,
        };
        let greeting = async {
            link.learn_versions().await?;
            match &target.login {
                Some(login) => link.log_in(login).await,
                None => Ok(()),
            }
        };
        timeout(LOGIN_TIMEOUT, greeting).await.unwrap_or_else(|_| Err(silent()))?;
        Ok(link)
    }

    /// It can carry another request, as far as is known.
    pub(super) fn is_good(&self) -> bool {
        self.expires.is_none_or(|expires| Instant::now() < expires)
    }

    /// The broker wants to be left alone for so many milliseconds.
    pub(super) fn keep_quiet(&mut self, milliseconds: u64) {
        if milliseconds > 0 {
            self.quiet_until = Some(Instant::now() + Duration::from_millis(milliseconds).min(THROTTLE_MAX));
        }
    }

    /// The newest version of a request that both sides know.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn version(&self, call: Call) -> Result<i16, Fault> {
        self.versions.and_then(|versions| versions.of(call)).ok_or(Fault::Version(call.name()))
    }

    /// Sends a request and waits for the whole answer.
    ///
    /// # Errors
    /// There is none; the link is good for nothing more then.
    pub(super) async fn ask(&mut self, call: Call, version: i16, body: &[u8]) -> io::Result<Vec<u8>> {
        if let Some(until) = self.quiet_until.take() {
            sleep_until(until).await;
        }
        self.correlation = self.correlation.wrapping_add(1);
        let request = request::framed(call, version, self.correlation, body);
        let asking = async {
            self.stream.write_all(&request).await?;
            self.stream.flush().await?;
            self.read().await
        };
        match timeout(ANSWER_TIMEOUT, asking).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.cause(error)),
            Err(_) => Err(silent()),
        }
    }

    async fn read(&mut self) -> io::Result<Vec<u8>> {
        let size = self.stream.read_i32().await?;
        let length = usize::try_from(size).ok().filter(|length| (HEAD..=ANSWER_MAX).contains(length));
        let Some(length) = length else { return Err(Fault::TooLong(size.cast_unsigned().into()).into()) };
        // What is not there is not made room for.
        let mut answer = Vec::new();
        let limit = u64::try_from(length).unwrap_or(u64::MAX);
        (&mut self.stream).take(limit).read_to_end(&mut answer).await?;
        if answer.len() < length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if Reader::new(&answer).int32() != Ok(self.correlation) {
            return Err(nonsense("it answers out of turn"));
        }
        answer.drain(..HEAD);
        Ok(answer)
    }

    /// What an error of the connection means.
    fn cause(&self, error: io::Error) -> io::Error {
        if Fault::within(&error).is_some() {
            return error;
        }
        if let Some(answer) = &self.tls {
            if let Some(fault) = tls::Fault::find(&error, answer.request()) {
                return fault.into();
            }
            if !self.is_proven && answer.request() != tls::Request::None {
                return tls::refusal(error, answer.request());
            }
        }
        if matches!(
            error.kind(),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        ) {
            return Fault::Closed.into();
        }
        error
    }

    async fn learn_versions(&mut self) -> io::Result<()> {
        let (_, version) = Call::ApiVersions.versions();
        let answer = self.ask(Call::ApiVersions, version, &[]).await?;
        let (code, versions) = Versions::read(&answer)?;
        if code != Code::NONE {
            return Err(Fault::of(code, "", None).into());
        }
        self.versions = Some(versions);
        Ok(())
    }

    async fn log_in(&mut self, login: &Login) -> io::Result<()> {
        let password = login.password().map_err(io::Error::other)?;
        let (_, version) = Call::SaslHandshake.versions();
        let answer =
            self.ask(Call::SaslHandshake, version, &request::sasl_handshake(login.mechanism.name())).await?;
        let Handshake { code, mechanisms } = Handshake::read(&answer)?;
        match code {
            Code::NONE => {}
            Code::UNSUPPORTED_MECHANISM => {
                let offered = told(&mechanisms.join(", "));
                return Err(Fault::Mechanism { wanted: login.mechanism.name(), offered }.into());
            }
            Code::ILLEGAL_SASL_STATE => return Err(Fault::NoLogin.into()),
            code => return Err(Fault::of(code, "", None).into()),
        }
        let Some(scram) = Scram::new(login)? else {
            let token = login.plain(&password);
            return self.authenticate(login, &token).await.map(drop);
        };
        let said = self.authenticate(login, scram.opening().as_bytes()).await?;
        // It takes its time, which nobody else has to wait for.
        let proving = tokio::task::spawn_blocking(move || scram.prove(&said, &password));
        let proof = proving.await.map_err(io::Error::other)??;
        let said = self.authenticate(login, proof.token.as_bytes()).await?;
        if proof.holds(&said) { Ok(()) } else { Err(Fault::Impostor(login.user.clone()).into()) }
    }

    async fn authenticate(&mut self, login: &Login, token: &[u8]) -> io::Result<Vec<u8>> {
        let (first, _) = Call::SaslAuthenticate.versions();
        let version = self.version(Call::SaslAuthenticate).unwrap_or(first);
        let answer = self.ask(Call::SaslAuthenticate, version, &request::sasl_authenticate(token)).await?;
        let answer = LoginAnswer::read(&answer, version)?;
        match answer.code {
            Code::NONE => {}
            Code::LOGIN_FAILED => {
                return Err(Fault::LoginFailed { user: login.user.clone(), said: after(answer.said) }.into());
            }
            code => return Err(Fault::of(code, "", answer.said).into()),
        }
        if answer.lifetime > 0 {
            let lifetime = Duration::from_millis(answer.lifetime) / 100 * LIFETIME_USED;
            self.expires = Instant::now().checked_add(lifetime);
        }
        Ok(answer.token.to_vec())
    }
}

impl From<Malformed> for io::Error {
    fn from(_: Malformed) -> Self {
        nonsense("its answer makes no sense")
    }
}

fn nonsense(what: &str) -> io::Error {
    Fault::NoKafka(what.to_owned()).into()
}

fn silent() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "it does not answer")
}
