//! Who may come in, and the broker's side of the exchanges: PLAIN, SCRAM, OAUTHBEARER.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use kafka_proto::sasl::{ScramHash, ScramKeys};

/// Who may come in, for [`Config::sasl`](super::Config::sasl), and for how long brokers know them.
///
/// Users come by PLAIN and by SCRAM, tokens by OAUTHBEARER. `Debug` shows no secrets.
#[derive(Clone, Default)]
#[must_use]
pub struct Sasl {
    users: BTreeMap<String, String>,
    /// What was derived from passwords, by user and hash: it takes a while.
    keys: BTreeMap<(String, &'static str), ScramKeys>,
    tokens: BTreeSet<String>,
    mechanisms: Option<Vec<String>>,
    pub(super) lifetime: Option<Duration>,
}

impl Sasl {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets a user in.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.set_user(name, password);
        self
    }

    /// Lets in whoever has this token.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.set_token(token);
        self
    }

    /// Offers these mechanisms only. Default: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER.
    pub fn mechanisms(mut self, names: &[&str]) -> Self {
        self.mechanisms = Some(names.iter().map(|&name| name.to_owned()).collect());
        self
    }

    /// Has clients say again who they are after so long (`connections.max.reauth.ms`). Default: never.
    pub fn session_lifetime(mut self, time: Duration) -> Self {
        self.lifetime = Some(time);
        self
    }

    /// Lets a user in from now on, or changes the password.
    pub fn set_user(&mut self, name: impl Into<String>, password: impl Into<String>) {
        let name = name.into();
        self.keys.retain(|(user, _), _| *user != name);
        self.users.insert(name, password.into());
    }

    /// Lets in whoever has this token from now on.
    pub fn set_token(&mut self, token: impl Into<String>) {
        self.tokens.insert(token.into());
    }

    /// Lets a user, or whoever has this token, in no more.
    pub fn revoke(&mut self, name_or_token: &str) {
        self.users.remove(name_or_token);
        self.tokens.remove(name_or_token);
    }

    pub(super) fn offered(&self) -> Vec<String> {
        match &self.mechanisms {
            Some(names) => names.clone(),
            None => MECHANISMS.map(str::to_owned).into(),
        }
    }
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sasl")
            .field("users", &self.users.keys())
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];

/// Who is at the other end of a connection.
#[derive(Debug)]
pub(super) enum Auth {
    /// Nobody asks.
    Open,
    ExpectHandshake,
    ExpectToken {
        exchange: Exchange,
        raw: bool,
        /// Who it was before, where a session is renewed.
        was: Option<String>,
    },
    Known {
        user: String,
        until: Option<Instant>,
    },
    /// The connection ends after the answer.
    Refused,
}

impl Auth {
    /// Whether the next frame is a step without a header.
    pub(super) fn is_raw(&self) -> bool {
        matches!(self, Self::ExpectToken { raw: true, .. })
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Refused)
    }
}

/// Where an exchange stands.
#[derive(Debug)]
pub(super) enum Exchange {
    Plain,
    ScramFirst(ScramHash),
    ScramFinal {
        hash: ScramHash,
        user: String,
        keys: ScramKeys,
        /// What both sides sign, but for the end of it.
        said: String,
        nonce: String,
    },
    Bearer,
    /// The client is to answer the refusal of its token.
    BearerRefused,
}

/// What a step led to.
pub(super) enum Verdict {
    Goes { answer: Bytes, exchange: Exchange },
    Knows { user: String, answer: Bytes },
    Refuses(String),
}

impl Exchange {
    pub(super) fn begin(mechanism: &str) -> Option<Self> {
        Some(match mechanism {
            "PLAIN" => Self::Plain,
            "SCRAM-SHA-256" => Self::ScramFirst(ScramHash::Sha256),
            "SCRAM-SHA-512" => Self::ScramFirst(ScramHash::Sha512),
            "OAUTHBEARER" => Self::Bearer,
            _ => return None,
        })
    }

    /// Takes a message of the client. `nonce` is one that was never used.
    pub(super) fn step(self, sasl: &mut Sasl, message: &[u8], nonce: &str) -> Verdict {
        let refuses = |reason: &str| Verdict::Refuses(reason.to_owned());
        let Ok(text) = std::str::from_utf8(message) else {
            return refuses("Invalid message");
        };
        match self {
            Self::Plain => {
                let mut parts = text.split('\0').skip(1);
                match (parts.next(), parts.next()) {
                    (Some(user), Some(password))
                        if sasl.users.get(user).is_some_and(|known| known == password) =>
                    {
                        let (user, answer) = (user.to_owned(), Bytes::new());
                        Verdict::Knows { user, answer }
                    }
                    _ => refuses("Authentication failed: Invalid username or password"),
                }
            }
            Self::ScramFirst(hash) => scram_first(hash, sasl, text, nonce)
                .unwrap_or_else(|| refuses("Invalid SCRAM client first message")),
            Self::ScramFinal {
                hash,
                user,
                keys,
                said,
                nonce,
            } => scram_final(hash, &keys, &said, &nonce, text).map_or_else(
                || refuses("Authentication failed due to invalid credentials"),
                |answer| Verdict::Knows { user, answer },
            ),
            Self::Bearer => {
                let part = |part: &'_ str| part.strip_prefix("auth=Bearer ").map(str::to_owned);
                match text.split('\u{1}').find_map(part) {
                    Some(token) if sasl.tokens.contains(&token) => Verdict::Knows {
                        // tokens of one subject differ, and so does nothing else here
                        user: "the owner of a token".to_owned(),
                        answer: Bytes::new(),
                    },
                    _ => Verdict::Goes {
                        answer: Bytes::from_static(br#"{"status":"invalid_token"}"#),
                        exchange: Self::BearerRefused,
                    },
                }
            }
            Self::BearerRefused => refuses(r#"{"status":"invalid_token"}"#),
        }
    }
}

const ITERATIONS: u32 = 4096;

fn scram_first(hash: ScramHash, sasl: &mut Sasl, text: &str, nonce: &str) -> Option<Verdict> {
    let bare = text.strip_prefix("n,,")?;
    let mut parts = bare.split(',');
    let user = parts.next()?.strip_prefix("n=")?;
    let user = user.replace("=2C", ",").replace("=3D", "=");
    let theirs = parts.next()?.strip_prefix("r=")?;
    let Some(password) = sasl.users.get(&user) else {
        return Some(Verdict::Refuses(
            "Authentication failed due to invalid credentials".to_owned(),
        ));
    };
    let salt = format!("salt of {user}");
    let derive = || hash.keys(&hash.salt_password(password, salt.as_bytes(), ITERATIONS));
    let place = (user.clone(), hash.mechanism());
    let keys = sasl.keys.entry(place).or_insert_with(derive).clone();
    let nonce = format!("{theirs}{}", STANDARD.encode(nonce));
    let answer = format!("r={nonce},s={},i={ITERATIONS}", STANDARD.encode(salt));
    let exchange = Exchange::ScramFinal {
        hash,
        user,
        keys,
        said: format!("{bare},{answer}"),
        nonce,
    };
    let answer = answer.into();
    Some(Verdict::Goes { answer, exchange })
}

/// The broker's signature, if the proof is one of the password.
fn scram_final(
    hash: ScramHash,
    keys: &ScramKeys,
    said: &str,
    nonce: &str,
    text: &str,
) -> Option<Bytes> {
    let (without_proof, proof) = text.rsplit_once(",p=")?;
    if without_proof != format!("c=biws,r={nonce}") {
        return None;
    }
    let said = format!("{said},{without_proof}");
    let signature = hash.hmac(&keys.stored_key, said.as_bytes());
    let proof = STANDARD.decode(proof).ok()?;
    let client_key: Vec<_> = proof.iter().zip(&signature).map(|(p, s)| p ^ s).collect();
    let signature = hash.hmac(&keys.server_key, said.as_bytes());
    (client_key == keys.client_key).then(|| format!("v={}", STANDARD.encode(signature)).into())
}
