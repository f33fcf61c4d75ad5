//! SCRAM: both sides prove that they know the password, and neither says it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{
    Engine, alphabet,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::{
    Exchange, Mechanism, SaslError, Step,
    hmac::{Hash, Hmac, pbkdf2},
};
use crate::error::ConfigError;

/// The fewest iterations that are taken, as in Java.
const MIN_ITERATIONS: u32 = 4096;
/// The most, unless it is set: what Kafka's own brokers allow (`ScramMechanism`), and some 10 ms of work.
const MAX_ITERATIONS: u32 = 16_384;

/// As strict as Java: padded, and whatever bits are left over.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The hash of a SCRAM mechanism.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ScramHash {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl ScramHash {
    /// The name of the mechanism.
    pub fn mechanism(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// What brokers store instead of the password, and what AlterUserScramCredentials carries (KIP-554).
    ///
    /// It is as good as the password for logging in: treat it as one. The time it takes grows with `iterations`: 4,096
    /// take about half a millisecond with SHA-256, two with SHA-512.
    pub fn salt_password(self, password: &str, salt: &[u8], iterations: u32) -> Vec<u8> {
        let password = password.as_bytes();
        match self {
            Self::Sha256 => pbkdf2::<Sha256>(password, salt, iterations),
            Self::Sha512 => pbkdf2::<Sha512>(password, salt, iterations),
        }
    }

    /// The keys that follow from a salted password: what a broker needs to check a client.
    pub fn keys(self, salted_password: &[u8]) -> ScramKeys {
        match self {
            Self::Sha256 => keys::<Sha256>(salted_password),
            Self::Sha512 => keys::<Sha512>(salted_password),
        }
    }

    /// The keyed hash that proofs and signatures are made of.
    pub fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Hmac::<Sha256>::new(key).mac(message).to_vec(),
            Self::Sha512 => Hmac::<Sha512>::new(key).mac(message).to_vec(),
        }
    }
}

fn keys<H: Hash>(salted_password: &[u8]) -> ScramKeys {
    let hmac = Hmac::<H>::new(salted_password);
    let client_key = hmac.mac(b"Client Key");
    ScramKeys {
        stored_key: H::digest(&client_key).to_vec(),
        client_key: client_key.to_vec(),
        server_key: hmac.mac(b"Server Key").to_vec(),
    }
}

/// The keys that follow from a salted password (RFC 5802, section 3).
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct ScramKeys {
    /// What the client proves to have.
    pub client_key: Vec<u8>,
    /// Its hash, which is all that a broker needs to check the proof.
    pub stored_key: Vec<u8>,
    /// What the broker proves to have.
    pub server_key: Vec<u8>,
}

/// Shows nothing of them.
impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys").finish_non_exhaustive()
    }
}

/// What makes an exchange unlike any other: visible ASCII without a comma.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScramNonce(String);

impl ScramNonce {
    /// A nonce of random bytes.
    pub fn from_entropy(entropy: [u8; 24]) -> Self {
        Self(BASE64.encode(entropy))
    }

    /// A nonce of somebody's choice; `None` if it cannot be one.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        Some(text.into()).filter(|t| is_nonce(t)).map(Self)
    }
}

fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b',')
}

/// Proves to know a password, and has the broker prove the same.
///
/// User and password are taken as UTF-8, as Java takes them: without SASLprep.
///
/// Source: RFC 5802, RFC 7677; KIP-84, KIP-48 (delegation tokens).
#[derive(Clone)]
pub struct Scram {
    hash: ScramHash,
    user: String,
    password: String,
    token_auth: bool,
    max_iterations: u32,
    /// What was derived last: a broker keeps its salt, so that most connections need not derive anew. Clones share it.
    salted: Arc<Mutex<Option<Salted>>>,
}

/// A password that was salted.
struct Salted {
    salt: Vec<u8>,
    iterations: u32,
    key: Vec<u8>,
}

impl Scram {
    /// Credentials.
    pub fn new(hash: ScramHash, user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            hash,
            user: user.into(),
            password: password.into(),
            token_auth: false,
            max_iterations: MAX_ITERATIONS,
            salted: Arc::default(),
        }
    }

    /// Credentials of a delegation token: its id and its HMAC, in base64 as the broker gave it (KIP-48).
    pub fn delegation_token(
        hash: ScramHash,
        token_id: impl Into<String>,
        hmac: impl Into<String>,
    ) -> Self {
        Self {
            token_auth: true,
            ..Self::new(hash, token_id, hmac)
        }
    }

    /// Sets how many iterations a broker may ask for; 16,384 by default, which is the most that Kafka stores, and 4,096 at
    /// least.
    ///
    /// Whoever answers in a broker's place decides how long this side computes, on the thread that drives the connection:
    /// 16,384 take some 2 ms with SHA-256 and 8 ms with SHA-512, a million up to half a second.
    ///
    /// # Errors
    ///
    /// Fewer than 4,096, which no broker may ask for.
    pub fn max_iterations(self, most: u32) -> Result<Self, ConfigError> {
        if most < MIN_ITERATIONS {
            let reason = format!("{most} are fewer than the {MIN_ITERATIONS} that are safe");
            return Err(ConfigError::new("max_iterations", reason));
        }
        Ok(Self {
            max_iterations: most,
            ..self
        })
    }

    /// Begins an exchange with this nonce.
    pub fn start_with(&self, nonce: ScramNonce) -> (Bytes, ExpectServerFirst) {
        let user = sasl_name(&self.user);
        let token = if self.token_auth {
            ",tokenauth=true"
        } else {
            ""
        };
        let bare = format!("n={user},r={}{token}", nonce.0);
        let message = Bytes::from(format!("n,,{bare}"));
        let expect = ExpectServerFirst {
            hash: self.hash,
            password: self.password.clone(),
            max_iterations: self.max_iterations,
            salted: self.salted.clone(),
            nonce,
            client_first_bare: bare,
        };
        (message, expect)
    }
}

impl Mechanism for Scram {
    fn name(&self) -> &str {
        self.hash.mechanism()
    }

    fn start(&self, entropy: [u8; 24]) -> Result<(Bytes, Box<dyn Exchange>), SaslError> {
        let (message, expect) = self.start_with(ScramNonce::from_entropy(entropy));
        Ok((message, Box::new(expect)))
    }
}

/// Shows who, not how.
impl fmt::Debug for Scram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scram")
            .field("hash", &self.hash)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Waits for salt and iterations.
pub struct ExpectServerFirst {
    hash: ScramHash,
    password: String,
    max_iterations: u32,
    salted: Arc<Mutex<Option<Salted>>>,
    nonce: ScramNonce,
    client_first_bare: String,
}

impl ExpectServerFirst {
    /// Takes the broker's first message; returns the proof to send.
    ///
    /// # Errors
    ///
    /// The message is malformed, belongs to another exchange, or names too few or too many iterations.
    pub fn handle(self, message: &[u8]) -> Result<(Bytes, ExpectServerFinal), SaslError> {
        let text = str::from_utf8(message).map_err(|_| SaslError::Malformed("server-first"))?;
        let first = ServerFirst::parse(text)?;
        // a nonce to which the broker adds nothing could be an echo of our own message
        match first.nonce.strip_prefix(&self.nonce.0) {
            None | Some("") => return Err(SaslError::Nonce),
            Some(_) => {}
        }
        let (least, most) = (MIN_ITERATIONS, self.max_iterations);
        if !(least..=most).contains(&first.iterations) {
            return Err(SaslError::Iterations {
                wanted: first.iterations,
                least,
                most,
            });
        }
        let hash = self.hash;
        let salted = self.salt(&first);
        let keys = hash.keys(&salted);
        // "biws" is "n,,": no channel binding
        let without_proof = format!("c=biws,r={}", first.nonce);
        let signed = format!("{},{text},{without_proof}", self.client_first_bare);
        let signature = hash.hmac(&keys.stored_key, signed.as_bytes());
        let proof: Vec<_> = keys
            .client_key
            .iter()
            .zip(&signature)
            .map(|(k, s)| k ^ s)
            .collect();
        let message = format!("{without_proof},p={}", BASE64.encode(proof));
        let expect = ExpectServerFinal {
            signature: hash.hmac(&keys.server_key, signed.as_bytes()),
        };
        Ok((message.into(), expect))
    }
}

impl ExpectServerFirst {
    /// The salted password, derived unless it is known. The lock is not held meanwhile: who comes at the same time derives
    /// it, too.
    fn salt(&self, first: &ServerFirst<'_>) -> Vec<u8> {
        let lock = || self.salted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*lock()
            && known.salt == first.salt
            && known.iterations == first.iterations
        {
            return known.key.clone();
        }
        let iterations = first.iterations;
        let key = self
            .hash
            .salt_password(&self.password, &first.salt, iterations);
        *lock() = Some(Salted {
            salt: first.salt.clone(),
            iterations,
            key: key.clone(),
        });
        key
    }
}

impl Exchange for ExpectServerFirst {
    fn handle(self: Box<Self>, challenge: &[u8]) -> Result<Step, SaslError> {
        let (message, then) = (*self).handle(challenge)?;
        Ok(Step::Send {
            message,
            then: Box::new(then),
        })
    }
}

/// Shows nothing of the password.
impl fmt::Debug for ExpectServerFirst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectServerFirst").finish_non_exhaustive()
    }
}

/// Waits for the broker's own proof.
pub struct ExpectServerFinal {
    signature: Vec<u8>,
}

impl ExpectServerFinal {
    /// Takes the broker's last message.
    ///
    /// # Errors
    ///
    /// The broker refuses, or its proof is wrong or missing.
    pub fn handle(self, message: &[u8]) -> Result<(), SaslError> {
        const MALFORMED: SaslError = SaslError::Malformed("server-final");
        let text = str::from_utf8(message).map_err(|_| MALFORMED)?;
        let mut parts = text.split(',');
        let first = parts.next().unwrap_or_default();
        if let Some(error) = first.strip_prefix("e=") {
            return Err(SaslError::refused(error.as_bytes()));
        }
        let signature = first.strip_prefix("v=").and_then(|v| BASE64.decode(v).ok());
        let signature = signature.ok_or(MALFORMED)?;
        if !parts.all(is_extension) {
            return Err(MALFORMED);
        }
        // in constant time: how much of a guess is right must not show
        match bool::from(signature.ct_eq(&self.signature)) {
            true => Ok(()),
            false => Err(SaslError::Signature),
        }
    }
}

impl Exchange for ExpectServerFinal {
    fn handle(self: Box<Self>, challenge: &[u8]) -> Result<Step, SaslError> {
        (*self).handle(challenge).map(|()| Step::Done)
    }
}

/// Shows nothing of the signature, which only who knows the password can make.
impl fmt::Debug for ExpectServerFinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectServerFinal").finish_non_exhaustive()
    }
}

/// `r=<nonce>,s=<salt>,i=<iterations>`, and extensions that may be skipped.
struct ServerFirst<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: u32,
}

impl<'a> ServerFirst<'a> {
    fn parse(text: &'a str) -> Result<Self, SaslError> {
        if text.starts_with("m=") {
            return Err(SaslError::MandatoryExtension);
        }
        let parsed = || {
            let mut parts = text.split(',');
            let mut part = |name| parts.next().and_then(|part: &str| part.strip_prefix(name));
            let nonce = part("r=").filter(|n| is_nonce(n))?;
            let salt = part("s=").and_then(|salt| BASE64.decode(salt).ok())?;
            let iterations = part("i=").filter(|i| i.bytes().all(|b| b.is_ascii_digit()))?;
            let iterations = iterations.parse().ok()?;
            parts.all(is_extension).then_some(Self {
                nonce,
                salt,
                iterations,
            })
        };
        parsed().ok_or(SaslError::Malformed("server-first"))
    }
}

/// A name of letters and a value: what a later version may add, and who does not know it skips.
fn is_extension(part: &str) -> bool {
    part.split_once('=').is_some_and(|(name, value)| {
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic());
        is_name && !value.is_empty() && value.bytes().all(|b| b != 0)
    })
}

/// A name with what separates parts written otherwise.
pub(super) fn sasl_name(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc() -> (Bytes, ExpectServerFirst) {
        let nonce = ScramNonce::new("rOprNGfwEbeRWgbNEkqO").expect("a nonce");
        Scram::new(ScramHash::Sha256, "user", "pencil").start_with(nonce)
    }

    const SERVER_FIRST: &[u8] =
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    /// RFC 7677, section 3.
    #[test]
    fn the_exchange_of_the_rfc_goes_through_and_a_changed_byte_ends_it() {
        let (first, expect) = rfc();
        assert_eq!(first, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (proof, expect) = expect.handle(SERVER_FIRST).expect("a proof");
        assert!(proof.ends_with(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
        let last = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(expect.handle(last.as_bytes()), Ok(()));
        for changed in [
            last.replace("6rr", "6rs"),
            "v=".to_owned(),
            "v=6rri".to_owned(),
        ] {
            let (_, expect) = rfc().1.handle(SERVER_FIRST).expect("a proof");
            assert_eq!(expect.handle(changed.as_bytes()), Err(SaslError::Signature));
        }
    }

    #[test]
    fn a_broker_that_plays_foul_gets_no_proof() {
        let nonce = "r=rOprNGfwEbeRWgbNEkqO";
        let iterations = |wanted| SaslError::Iterations {
            wanted,
            least: 4096,
            most: 16_384,
        };
        for (message, error) in [
            (format!("{nonce},s=AA==,i=4096"), SaslError::Nonce),
            ("r=other,s=AA==,i=4096".to_owned(), SaslError::Nonce),
            (format!("{nonce}x,s=AA==,i=1"), iterations(1)),
            (format!("{nonce}x,s=AA==,i=4095"), iterations(4095)),
            (format!("{nonce}x,s=AA==,i=16385"), iterations(16_385)),
            (
                format!("{nonce}x,s=AA==,i=2000000000"),
                iterations(2_000_000_000),
            ),
            (
                format!("m=x,{nonce}x,s=AA==,i=4096"),
                SaslError::MandatoryExtension,
            ),
        ] {
            let refused = rfc().1.handle(message.as_bytes()).expect_err("refused");
            assert_eq!(refused, error, "{message}");
        }
        for rest in [
            "s=AA==",
            "s=AA,i=4096",
            "s=AA==,i=",
            "s=AA==,i=+4096",
            "s=AA==,i=4096,",
            "i=4096,s=AA==",
        ] {
            let refused = rfc().1.handle(format!("{nonce}x,{rest}").as_bytes());
            assert_eq!(
                refused.expect_err("refused"),
                SaslError::Malformed("server-first"),
                "{rest}"
            );
        }
    }

    /// What answers in a broker's place is not to keep a client busy for as long as it likes.
    #[test]
    fn as_many_iterations_are_taken_as_kafka_stores_and_more_if_they_are_allowed() {
        let ask = |scram: Scram, iterations: u32| {
            let (_, expect) = scram.start_with(ScramNonce::new("abc").expect("a nonce"));
            let first = format!("r=abcdef,s=AAAA,i={iterations}");
            expect.handle(first.as_bytes()).map(|(proof, _)| proof)
        };
        let scram = || Scram::new(ScramHash::Sha256, "user", "pencil");
        ask(scram(), 16_384).expect("a proof");
        let error = ask(scram(), 16_385).expect_err("too many");
        assert!(error.to_string().contains("16385 iterations"), "{error}");
        assert!(error.to_string().contains("max_iterations"), "{error}");
        let more = scram().max_iterations(20_000).expect("a limit");
        ask(more.clone(), 20_000).expect("a proof");
        ask(more, 20_001).expect_err("too many");
        let fewer = scram().max_iterations(4095).expect_err("not safe");
        assert_eq!(fewer.field(), "max_iterations");
        ask(scram().max_iterations(4096).expect("a limit"), 4096).expect("a proof");
    }

    #[test]
    fn what_was_derived_for_one_salt_is_not_used_for_another() {
        let scram = Scram::new(ScramHash::Sha256, "user", "pencil");
        let proof = |salt: &str, iterations: u32| {
            let nonce = ScramNonce::new("abc").expect("a nonce");
            let (_, expect) = scram.start_with(nonce);
            let first = format!("r=abcdef,s={salt},i={iterations}");
            expect.handle(first.as_bytes()).expect("a proof").0
        };
        let first = proof("W22ZaJ0SNY7soEsUEjb6gQ==", 4096);
        assert_ne!(proof("AAAA", 4096), first);
        assert_ne!(proof("W22ZaJ0SNY7soEsUEjb6gQ==", 4097), first);
        assert_eq!(proof("W22ZaJ0SNY7soEsUEjb6gQ==", 4096), first);
        assert_eq!(proof("W22ZaJ0SNY7soEsUEjb6gQ==", 4096), first);
    }

    #[test]
    fn secrets_are_not_shown() {
        let scram = Scram::new(ScramHash::Sha512, "alice", "tangerine");
        let (_, expect) = scram.start([1; 24]).expect("starts");
        assert!(!format!("{scram:?} {expect:?}").contains("tangerine"));
    }

    #[test]
    fn nonces_are_visible_and_have_no_comma() {
        assert!(
            ["", "a,b", "a b", "ä"]
                .iter()
                .all(|n| ScramNonce::new(*n).is_none())
        );
        assert_eq!(ScramNonce::from_entropy([0xff; 24]).0, "/".repeat(32));
    }
}
