//! How a client proves who it is: the exchanges of SASL, without a connection around them (KIP-43, KIP-84, KIP-152,
//! KIP-255).
//!
//! A [`Mechanism`] makes the first message and an [`Exchange`], which takes each answer of the broker and says what to
//! send next, until it is content:
//!
//! ```
//! use kafka_proto::sasl::{Mechanism, Plain, Step};
//!
//! let (first, exchange) = Plain::new("alice", "secret")?.start([7; 24])?;
//! assert_eq!(first, "\0alice\0secret");
//! // .. `first` goes out in a SaslAuthenticate request, the bytes of the response come in
//! assert!(matches!(exchange.handle(b"")?, Step::Done));
//! # Ok::<(), kafka_proto::sasl::SaslError>(())
//! ```
//!
//! What is needed from outside comes in as an argument: 24 random bytes for each exchange, and a fresh token for each
//! [`OauthBearer`]. Passwords, tokens and what is derived from them are in no `Debug` and in no error.
//!
//! # Your own mechanism
//!
//! What holds credentials implements [`Mechanism`], and what waits for an answer [`Exchange`]; whatever takes time (asking
//! a ticket server, say) is done before. This one signs a challenge:
//!
//! ```
//! use bytes::Bytes;
//! use kafka_proto::sasl::{Exchange, Mechanism, SaslError, Step};
//!
//! #[derive(Debug)]
//! struct Signed;
//!
//! impl Mechanism for Signed {
//!     fn name(&self) -> &str {
//!         "MY_SIGNED"
//!     }
//!
//!     fn start(&self, _entropy: [u8; 24]) -> Result<(Bytes, Box<dyn Exchange>), SaslError> {
//!         Ok((Bytes::from_static(b"hello"), Box::new(ExpectChallenge)))
//!     }
//! }
//!
//! #[derive(Debug)]
//! struct ExpectChallenge;
//!
//! impl Exchange for ExpectChallenge {
//!     fn handle(self: Box<Self>, challenge: &[u8]) -> Result<Step, SaslError> {
//!         let signature: Bytes = challenge.iter().rev().copied().collect();
//!         Ok(Step::Send { message: signature, then: Box::new(ExpectWelcome) })
//!     }
//! }
//!
//! #[derive(Debug)]
//! struct ExpectWelcome;
//!
//! impl Exchange for ExpectWelcome {
//!     fn handle(self: Box<Self>, answer: &[u8]) -> Result<Step, SaslError> {
//!         match answer {
//!             b"welcome" => Ok(Step::Done),
//!             _ => Err(SaslError::Malformed("the answer to the signature")),
//!         }
//!     }
//! }
//! # let (_, exchange) = Signed.start([0; 24])?;
//! # let Step::Send { message, then } = exchange.handle(b"abc")? else { panic!() };
//! # assert_eq!(message, "cba");
//! # assert!(matches!(then.handle(b"welcome")?, Step::Done));
//! # Ok::<(), SaslError>(())
//! ```

#[cfg(any(test, feature = "unstable"))]
pub mod fuzz;
mod hmac;
mod oauth_bearer;
mod plain;
mod scram;

use std::fmt;

use bytes::Bytes;
use thiserror::Error;

pub use oauth_bearer::OauthBearer;
pub use plain::Plain;
pub use scram::{ExpectServerFinal, ExpectServerFirst, Scram, ScramHash, ScramKeys, ScramNonce};

/// A way to prove who one is, with the credentials for it.
#[doc(alias = "SaslMechanism")]
pub trait Mechanism: fmt::Debug + Send + Sync {
    /// The name under which brokers know it.
    #[doc(alias = "Name")]
    fn name(&self) -> &str;

    /// Begins an exchange: the first message, and what takes the answer.
    ///
    /// `entropy` must be random, and other bytes in each exchange.
    ///
    /// # Errors
    ///
    /// What keeps it from beginning.
    #[doc(alias = "Start")]
    fn start(&self, entropy: [u8; 24]) -> Result<(Bytes, Box<dyn Exchange>), SaslError>;
}

/// An exchange that waits for an answer of the broker.
pub trait Exchange: fmt::Debug + Send {
    /// Takes the answer to the last message.
    ///
    /// # Errors
    ///
    /// The exchange has failed, and so has the connection: what the broker says is not to be trusted, or it refuses.
    #[doc(alias = "Next")]
    fn handle(self: Box<Self>, challenge: &[u8]) -> Result<Step, SaslError>;
}

/// What comes next in an exchange.
#[derive(Debug)]
#[must_use = "an exchange goes on until it is done"]
pub enum Step {
    /// Send this, and let `then` take the answer.
    Send {
        /// For the broker.
        message: Bytes,
        /// Waits for the answer.
        then: Box<dyn Exchange>,
    },
    /// Both sides are content.
    Done,
}

/// Why an exchange has failed.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum SaslError {
    /// The broker refuses; with what it says, cut to 256 characters.
    #[error("the broker refuses the credentials: {0}")]
    Refused(String),
    /// The broker sent what is no message of this mechanism.
    #[error("the broker broke the SASL exchange: {0} is malformed")]
    Malformed(&'static str),
    /// The broker asks for something that is not known here.
    #[error("the broker asks for a SASL extension that is not supported")]
    MandatoryExtension,
    /// The broker answers another exchange, or takes part in none.
    #[error("the broker did not take up our nonce: it may replay another exchange")]
    Nonce,
    /// The broker wants fewer iterations than are safe, or more than it should cost to find out that it is none.
    #[error(
        "the broker wants {wanted} iterations of SCRAM; {least} to {most} are taken (`Scram::max_iterations` sets the most)"
    )]
    Iterations {
        /// What it wants.
        wanted: u32,
        /// The fewest that are taken.
        least: u32,
        /// The most that are taken.
        most: u32,
    },
    /// The broker does not know the password: it is not the one that it claims to be.
    #[error("the broker's signature is wrong: it does not know the password")]
    Signature,
    /// Credentials hold what their mechanism cannot carry.
    #[error("{0} cannot be sent: {1}")]
    Credentials(&'static str, &'static str),
    /// A mechanism of somebody else failed.
    #[error("{0}")]
    Mechanism(String),
}

impl SaslError {
    /// A refusal with the words of the broker, which may be any bytes.
    fn refused(said: &[u8]) -> Self {
        let said = String::from_utf8_lossy(said);
        Self::Refused(said.escape_debug().take(256).collect())
    }
}
