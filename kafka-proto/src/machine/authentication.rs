//! SASL on one connection: which request carries which step of an exchange, and what an answer means.
//!
//! Brokers before 1.0 know no SaslAuthenticate: after SaslHandshake version 0 the steps go over the connection as they
//! are, each behind its length, and a refusal is a closed connection (KIP-43). Later ones wrap every step, say why they
//! refuse (KIP-152) and for how long the session lasts (KIP-368).

use std::{fmt, time::Duration};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{backoff::Random, handshake::Versions};
use crate::{
    api::{
        ApiKey,
        sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse},
        sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse},
    },
    error::{Error, ErrorCode, ErrorKind},
    sasl::{Exchange, Mechanism, SaslError, Step},
};

/// Longer sessions count as this: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// What to send next. `Debug` shows the kind alone.
pub enum Ask {
    /// A SaslHandshake request.
    Mechanism(SaslHandshakeRequest, i16),
    /// A SaslAuthenticate request.
    Token(SaslAuthenticateRequest, i16),
    /// These bytes behind their length, without a header: the answer has none either.
    Raw(Bytes),
}

/// What waits for the next answer of an authentication.
///
/// ```text
/// ExpectMechanism -- taken ------> ExpectToken -- one more step --> ExpectToken
///                 -- not known --> Err         -- content --------> Done
///                                              -- refused --------> Err
/// ```
#[derive(Debug)]
pub enum Expect {
    /// The answer to SaslHandshake.
    Mechanism(ExpectMechanism),
    /// The answer to a step of the exchange.
    Token(ExpectToken),
}

/// What an answer led to.
#[derive(Debug)]
#[must_use = "an authentication goes on until it is done"]
pub enum Turn {
    /// Send this, and wait again.
    Send(Ask, Expect),
    /// The broker knows who we are: for so long, if it says so.
    Done(Option<Duration>),
}

/// Waits for the broker to take the mechanism.
#[derive(Debug)]
pub struct ExpectMechanism {
    name: String,
    first: First,
    exchange: Box<dyn Exchange>,
    form: Form,
}

/// Waits for the answer to a step of the exchange.
#[derive(Debug)]
pub struct ExpectToken {
    exchange: Box<dyn Exchange>,
    form: Form,
}

/// The first message, which `Debug` must not show.
struct First(Bytes);

/// How steps are carried.
#[derive(Clone, Copy, Debug)]
enum Form {
    Wrapped(i16),
    Raw,
}

impl ExpectMechanism {
    /// Begins an authentication by `mechanism` with a broker of these versions.
    ///
    /// # Errors
    ///
    /// The broker knows no SASL, or the mechanism cannot begin.
    pub fn start(
        mechanism: &dyn Mechanism,
        entropy: [u8; 24],
        versions: &Versions,
    ) -> Result<(Ask, Self), Error> {
        let unsupported =
            |e: super::handshake::VersionError| Error::new(ErrorKind::Unsupported, e.to_string());
        let wrapped = versions.choose(ApiKey::SaslAuthenticate, i16::MAX).ok();
        let (version, form) = match wrapped {
            Some(step) if versions.choose(ApiKey::SaslHandshake, i16::MAX) == Ok(1) => {
                (1, Form::Wrapped(step))
            }
            _ => (
                versions
                    .choose(ApiKey::SaslHandshake, 0)
                    .map_err(unsupported)?,
                Form::Raw,
            ),
        };
        let (first, exchange) = mechanism.start(entropy).map_err(broken)?;
        let name = mechanism.name().to_owned();
        let request = SaslHandshakeRequest::build(|r| r.mechanism.clone_from(&name));
        let expect = Self {
            name,
            first: First(first),
            exchange,
            form,
        };
        Ok((Ask::Mechanism(request, version), expect))
    }

    /// Takes the answer to SaslHandshake.
    ///
    /// # Errors
    ///
    /// The broker does not offer the mechanism, or no authentication on this listener.
    pub fn handle(self, response: &SaslHandshakeResponse) -> Result<Turn, Error> {
        let code = ErrorCode(response.error_code);
        match code {
            ErrorCode::NONE => {}
            ErrorCode::UNSUPPORTED_SASL_MECHANISM => {
                let offered: Vec<_> = response
                    .mechanisms
                    .iter()
                    .take(16)
                    .map(|m| cut(m))
                    .collect();
                let message = format!(
                    "the broker does not offer the SASL mechanism {} on this listener, but: {}",
                    self.name,
                    offered.join(", ")
                );
                return Err(Error::new(ErrorKind::Authentication, message).caused_by(code));
            }
            ErrorCode::ILLEGAL_SASL_STATE => {
                let message = "the broker expects no SASL here: this listener speaks PLAINTEXT or SSL, or it was \
                               authenticated a moment ago";
                return Err(Error::new(ErrorKind::Authentication, message).caused_by(code));
            }
            code => {
                let message = format!("the broker refused the SASL handshake: {code}");
                return Err(Error::new(ErrorKind::Authentication, message).caused_by(code));
            }
        }
        let expect = ExpectToken {
            exchange: self.exchange,
            form: self.form,
        };
        Ok(Turn::Send(
            self.form.carry(self.first.0),
            Expect::Token(expect),
        ))
    }
}

impl ExpectToken {
    /// Whether the answer comes as it is, behind its length, without a header.
    pub fn is_raw(&self) -> bool {
        matches!(self.form, Form::Raw)
    }

    /// Takes the answer to SaslAuthenticate.
    ///
    /// # Errors
    ///
    /// The broker refuses, or is not to be trusted.
    pub fn handle(self, response: &SaslAuthenticateResponse) -> Result<Turn, Error> {
        let code = ErrorCode(response.error_code);
        if code != ErrorCode::NONE {
            let said = response.error_message.as_deref().unwrap_or_default();
            let message = match said {
                "" => format!("the broker refuses the credentials: {code}"),
                said => format!("the broker refuses the credentials: {}", cut(said)),
            };
            return Err(Error::new(ErrorKind::Authentication, message).caused_by(code));
        }
        let lifetime = u64::try_from(response.session_lifetime_ms).unwrap_or(0);
        let lifetime = Some(Duration::from_millis(lifetime).min(LONGEST)).filter(|l| !l.is_zero());
        self.step(&response.auth_bytes, lifetime)
    }

    /// Takes an answer without a header.
    ///
    /// # Errors
    ///
    /// As [`ExpectToken::handle`].
    pub fn handle_raw(self, token: &[u8]) -> Result<Turn, Error> {
        self.step(token, None)
    }

    fn step(self, token: &[u8], lifetime: Option<Duration>) -> Result<Turn, Error> {
        let form = self.form;
        Ok(match self.exchange.handle(token).map_err(broken)? {
            Step::Done => Turn::Done(lifetime),
            Step::Send { message, then } => Turn::Send(
                form.carry(message),
                Expect::Token(Self {
                    exchange: then,
                    form,
                }),
            ),
        })
    }
}

impl Form {
    fn carry(self, message: Bytes) -> Ask {
        match self {
            Self::Raw => Ask::Raw(message),
            Self::Wrapped(version) => Ask::Token(
                SaslAuthenticateRequest::build(|r| r.auth_bytes = message.into()),
                version,
            ),
        }
    }
}

/// Makes the random bytes of exchanges from a secret. Who sees some of them learns nothing of the others.
pub struct Nonces {
    secret: [u8; 32],
    count: u64,
}

impl Nonces {
    /// As unlike any others as `secret` is.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret, count: 0 }
    }

    /// The bytes for the next exchange.
    pub fn draw(&mut self) -> [u8; 24] {
        self.count += 1;
        let hash: [u8; 32] = Sha256::new_with_prefix("entropy of a SASL exchange")
            .chain_update(self.secret)
            .chain_update(self.count.to_be_bytes())
            .finalize()
            .into();
        let mut entropy = [0; 24];
        entropy.copy_from_slice(&hash[..24]);
        entropy
    }
}

/// Shows nothing of the secret.
impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").finish_non_exhaustive()
    }
}

/// When a session that began now is to be renewed: after 85 to 95 % of its time, as Java does, so that not all
/// connections of all clients do it at once.
pub fn renewal(lifetime: Duration, random: &mut Random) -> Duration {
    lifetime.mul_f64(0.85 + random.below(1000) as f64 / 10_000.0)
}

/// An exchange that failed on our side.
fn broken(error: SaslError) -> Error {
    let kind = match &error {
        SaslError::Refused(_) | SaslError::Mechanism(_) => ErrorKind::Authentication,
        SaslError::Malformed(_) => ErrorKind::Protocol,
        SaslError::MandatoryExtension => ErrorKind::Unsupported,
        SaslError::Nonce | SaslError::Iterations { .. } | SaslError::Signature => {
            ErrorKind::Untrusted
        }
        SaslError::Credentials(..) => ErrorKind::Credentials,
    };
    Error::new(kind, error.to_string()).caused_by(error)
}

/// What a broker says, fit for an error.
fn cut(said: &str) -> String {
    said.escape_debug().take(256).collect()
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mechanism(..) => "Mechanism",
            Self::Token(..) => "Token",
            Self::Raw(_) => "Raw",
        })
    }
}

impl fmt::Debug for First {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("First")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::api_versions::{ApiVersion, ApiVersionsResponse},
        machine::handshake::{ExpectVersions, Handshake},
        sasl::{Plain, Scram, ScramHash},
    };

    fn versions(ranges: &[(ApiKey, i16)]) -> Versions {
        let response = ApiVersionsResponse::build(|r| {
            r.api_keys = ranges
                .iter()
                .map(|(key, max)| {
                    ApiVersion::build(|v| (v.api_key, v.max_version) = (*key as i16, *max))
                })
                .collect();
        });
        match ExpectVersions::new(0).handle(&response) {
            Ok(Handshake::Done(versions)) => versions,
            other => panic!("{other:?}"),
        }
    }

    fn modern() -> Versions {
        versions(&[(ApiKey::SaslHandshake, 1), (ApiKey::SaslAuthenticate, 2)])
    }

    fn plain() -> Plain {
        Plain::new("alice", "tangerine").expect("credentials")
    }

    #[test]
    fn steps_are_wrapped_where_the_broker_knows_how_and_raw_where_not() {
        let (ask, expect) =
            ExpectMechanism::start(&plain(), [0; 24], &modern()).expect("it begins");
        assert!(matches!(&ask, Ask::Mechanism(r, 1) if r.mechanism == "PLAIN"));
        let Ok(Turn::Send(Ask::Token(request, 2), Expect::Token(expect))) =
            expect.handle(&SaslHandshakeResponse::default())
        else {
            panic!("a token is due")
        };
        assert_eq!(request.auth_bytes[..], b"\0alice\0tangerine"[..]);
        let answer = SaslAuthenticateResponse::build(|r| r.session_lifetime_ms = 3000);
        let Ok(Turn::Done(lifetime)) = expect.handle(&answer) else {
            panic!("done")
        };
        assert_eq!(lifetime, Some(Duration::from_secs(3)));

        let old = versions(&[(ApiKey::SaslHandshake, 0)]);
        let (ask, expect) = ExpectMechanism::start(&plain(), [0; 24], &old).expect("it begins");
        assert!(matches!(ask, Ask::Mechanism(_, 0)));
        let Ok(Turn::Send(Ask::Raw(bytes), Expect::Token(expect))) =
            expect.handle(&SaslHandshakeResponse::default())
        else {
            panic!("a token is due")
        };
        assert_eq!(bytes, "\0alice\0tangerine");
        assert!(matches!(expect.handle_raw(b""), Ok(Turn::Done(None))));
    }

    #[test]
    fn what_the_broker_refuses_is_named_with_what_it_offers() {
        let scram = Scram::new(ScramHash::Sha512, "alice", "tangerine");
        let (_, expect) = ExpectMechanism::start(&scram, [0; 24], &modern()).expect("it begins");
        let answer = SaslHandshakeResponse::build(|r| {
            r.error_code = ErrorCode::UNSUPPORTED_SASL_MECHANISM.0;
            r.mechanisms = vec!["PLAIN".to_owned(), "GSSAPI".to_owned()];
        });
        let error = expect.handle(&answer).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Authentication);
        assert!(
            error
                .to_string()
                .ends_with("SCRAM-SHA-512 on this listener, but: PLAIN, GSSAPI")
        );

        let (_, expect) = ExpectMechanism::start(&plain(), [0; 24], &modern()).expect("it begins");
        let Ok(Turn::Send(_, Expect::Token(expect))) =
            expect.handle(&SaslHandshakeResponse::default())
        else {
            panic!("a token is due")
        };
        let answer = SaslAuthenticateResponse::build(|r| {
            r.error_code = ErrorCode::SASL_AUTHENTICATION_FAILED.0;
            r.error_message = Some("Invalid username or password".to_owned());
        });
        let error = expect.handle(&answer).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Authentication);
        assert!(!error.is_retriable());
        assert!(error.to_string().ends_with("Invalid username or password"));
    }

    #[test]
    fn a_broker_that_knows_no_sasl_is_named_before_anything_secret_leaves() {
        let error = ExpectMechanism::start(&plain(), [0; 24], &versions(&[(ApiKey::Fetch, 18)]))
            .expect_err("unsupported");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("SaslHandshake"), "{error}");
    }

    #[test]
    fn secrets_are_not_shown() {
        let (ask, expect) =
            ExpectMechanism::start(&plain(), [0; 24], &modern()).expect("it begins");
        let turn = format!("{ask:?} {expect:?}");
        let turn = format!(
            "{turn} {:?}",
            expect.handle(&SaslHandshakeResponse::default())
        );
        assert!(!turn.contains("tangerine"), "{turn}");
        assert!(!turn.contains("116, 97"), "{turn}");
    }

    #[test]
    fn lifetimes_of_any_length_are_renewed_before_their_end() {
        let mut random = Random::new(1);
        for ms in [1, 3000, i64::MAX as u64] {
            let lifetime = Duration::from_millis(ms).min(LONGEST);
            for _ in 0..100 {
                let at = renewal(lifetime, &mut random).as_secs_f64() / lifetime.as_secs_f64();
                assert!((0.85..=0.95).contains(&at), "{at}");
            }
        }
    }

    #[test]
    fn nonces_are_all_different_and_follow_from_the_whole_secret() {
        let mut secret = [7; 32];
        let (mut one, mut same) = (Nonces::new(secret), Nonces::new(secret));
        secret[31] ^= 1;
        let mut other = Nonces::new(secret);
        let drawn: Vec<_> = (0..100).map(|_| one.draw()).collect();
        assert!(drawn.iter().all(|nonce| *nonce == same.draw()));
        assert!(drawn.iter().all(|nonce| *nonce != other.draw()));
        let unlike: std::collections::BTreeSet<_> = drawn.iter().collect();
        assert_eq!(unlike.len(), drawn.len());
    }
}
