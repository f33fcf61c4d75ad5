//! What handles report: what sort of failure, whose fault it is, and what became of the data.

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc};

use super::{ConfigError, DecodeError, ErrorCode};
use crate::record::{RecordError, RecordErrorKind};

/// Anything that a handle reports.
///
/// Cheap to clone; two callers of one failure get the same error. Handles go on after an error: a refused message does
/// not end a writer.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    code: Option<ErrorCode>,
    retriable: bool,
    outcome: Outcome,
    scope: Scope,
    message: Cow<'static, str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What sort of failure.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The handle or its client was closed, or the runtime under it is gone.
    Closed,
    /// A deadline passed first.
    TimedOut,
    /// `try_send` found no room.
    Full,
    /// `try_send` does not know the topic's partitions yet.
    TopicPending,
    /// A record or call is larger than the limit that the message names.
    TooLarge,
    /// The buffer is smaller than the value: its beginning was copied, and the message is still the next one.
    ShortBuffer {
        /// Bytes of the value.
        needed: usize,
        /// Bytes that were copied: all that the buffer holds.
        copied: usize,
    },
    /// The call cannot work whatever the cluster does: the message says why.
    Misuse,
    /// The topic does not exist, or not for this user.
    UnknownTopic,
    /// The topic has no such partition.
    UnknownPartition,
    /// The broker refused; see [`Error::code`].
    Refused,
    /// The broker lacks what was asked for.
    Unsupported,
    /// No broker could be reached.
    Unreachable,
    /// The connection ended under the request.
    Disconnected,
    /// The peer sent what no Kafka broker may send.
    Protocol,
    /// Records are damaged or in a format that cannot be read.
    Corrupt,
    /// The offset that was asked for is not in the log.
    OffsetOutOfRange,
    /// The broker does not take us for whom we say we are: a wrong password, an expired token, a client certificate that it
    /// refuses or misses.
    Authentication,
    /// The broker is not whom it should be: its certificate is not valid here, or it does not know the password that it
    /// claims to know.
    Untrusted,
    /// There are no credentials to send: their provider failed, or did not answer in time.
    Credentials,
    /// The system refused a thread, a file descriptor or randomness that connections need.
    Exhausted,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The peer broke the protocol or sent damaged data.
    Peer,
    /// The broker understood and refused.
    Broker,
    /// The caller asked for what cannot be.
    Caller,
    /// The network, or time, or the end of the client.
    Transport,
}

/// What became of the data that a failed call concerned.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing was to be written.
    NoData,
    /// Certainly not written.
    NotWritten,
    /// Sent whole, and no answer came: it may be in the log or not.
    Unknown,
}

/// What a failure concerns; everything outside goes on.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Scope {
    /// This one call.
    Call,
    /// One partition.
    Partition {
        /// Its topic.
        topic: Arc<str>,
        /// Its number.
        partition: i32,
    },
    /// One topic.
    Topic(Arc<str>),
    /// One connection; the name of its peer.
    Connection(Arc<str>),
    /// All of the client.
    Client,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let retriable = matches!(
            kind,
            ErrorKind::TimedOut
                | ErrorKind::Full
                | ErrorKind::TopicPending
                | ErrorKind::Unreachable
                | ErrorKind::Disconnected
                | ErrorKind::Credentials
                | ErrorKind::Exhausted
        );
        Self(Arc::new(Inner {
            kind,
            code: None,
            retriable,
            outcome: Outcome::NoData,
            scope: Scope::Call,
            message: message.into(),
            source: None,
        }))
    }

    /// The error of an adapter that is called outside its runtime: for adapters.
    pub fn no_runtime(cure: &'static str) -> Self {
        Self::new(ErrorKind::Misuse, cure)
    }

    /// The error of a client that the system gives no seed: for adapters.
    pub fn no_randomness() -> Self {
        let message =
            "the system has no randomness to give, and the nonces of SASL must not be guessed";
        Self::new(ErrorKind::Exhausted, message)
    }

    /// The error of connections that the system has no thread or file descriptor for: for adapters.
    pub fn exhausted(error: std::io::Error) -> Self {
        let message = format!(
            "the system refused a thread or a file descriptor for connections, which may be a limit of the user or the \
             container: {error}"
        );
        Self::new(ErrorKind::Exhausted, message).caused_by(error)
    }

    /// The error of a connection that could not be made: for adapters.
    pub fn unreachable(peer: &str, error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::TimedOut => ErrorKind::TimedOut,
            _ => ErrorKind::Unreachable,
        };
        let scope = Scope::Connection(peer.into());
        Self::new(kind, format!("connecting failed: {error}"))
            .with_scope(scope)
            .caused_by(error)
    }

    /// The error of a handle that was closed: for adapters.
    pub fn closed() -> Self {
        Self::new(ErrorKind::Closed, "closed")
    }

    /// A broker's code; `doing` says in what.
    pub(crate) fn refused(code: ErrorCode, doing: &str, said: Option<&str>) -> Self {
        let kind = match code {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => ErrorKind::UnknownTopic,
            ErrorCode::OFFSET_OUT_OF_RANGE => ErrorKind::OffsetOutOfRange,
            ErrorCode::UNSUPPORTED_VERSION => ErrorKind::Unsupported,
            ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE => ErrorKind::TooLarge,
            _ => ErrorKind::Refused,
        };
        let message = match said {
            Some(said) if !said.is_empty() => {
                format!("the broker refused {doing}: {code} ({said})")
            }
            _ => format!("the broker refused {doing}: {code}"),
        };
        let mut inner = Self::new(kind, message).into_inner();
        inner.code = Some(code);
        inner.retriable = code.is_retriable();
        inner.source = Some(Arc::new(code));
        Self(Arc::new(inner))
    }

    /// Bytes that are not the response they claim to be.
    pub(crate) fn decode(error: DecodeError, what: &str) -> Self {
        Self::new(
            ErrorKind::Protocol,
            format!("the response to {what} cannot be read: {error}"),
        )
        .caused_by(error)
    }

    /// Records that cannot be read; not every one of them is damaged.
    pub(crate) fn corrupt(error: RecordError) -> Self {
        let kind = match error.kind() {
            RecordErrorKind::UnknownMagic(_) | RecordErrorKind::UnsupportedCodec(_) => {
                ErrorKind::Unsupported
            }
            RecordErrorKind::TooLarge(_) => ErrorKind::TooLarge,
            _ => ErrorKind::Corrupt,
        };
        Self::new(kind, error.to_string()).caused_by(error)
    }

    pub(crate) fn caused_by(self, source: impl StdError + Send + Sync + 'static) -> Self {
        let mut inner = self.into_inner();
        inner.source = Some(Arc::new(source));
        Self(Arc::new(inner))
    }

    /// The same for a cause whose type is not known.
    pub(crate) fn caused_by_any(self, source: Arc<dyn StdError + Send + Sync>) -> Self {
        let mut inner = self.into_inner();
        inner.source = Some(source);
        Self(Arc::new(inner))
    }

    pub(crate) fn with_outcome(self, outcome: Outcome) -> Self {
        let mut inner = self.into_inner();
        inner.outcome = outcome;
        Self(Arc::new(inner))
    }

    pub(crate) fn with_scope(self, scope: Scope) -> Self {
        let mut inner = self.into_inner();
        inner.scope = scope;
        Self(Arc::new(inner))
    }

    pub(crate) fn in_partition(self, topic: &Arc<str>, partition: i32) -> Self {
        self.with_scope(Scope::Partition {
            topic: topic.clone(),
            partition,
        })
    }

    /// What sort of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The broker's code, if a broker refused. Codes that this crate does not know are kept.
    pub fn code(&self) -> Option<ErrorCode> {
        self.0.code
    }

    /// Whether the same call may succeed later. The client has already tried for as long as its limits allow.
    pub fn is_retriable(&self) -> bool {
        self.0.retriable
    }

    /// What became of the data.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// What it concerns.
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self.0.kind {
            ErrorKind::Protocol | ErrorKind::Corrupt | ErrorKind::Untrusted => Fault::Peer,
            ErrorKind::Refused
            | ErrorKind::UnknownTopic
            | ErrorKind::UnknownPartition
            | ErrorKind::Unsupported
            | ErrorKind::OffsetOutOfRange
            | ErrorKind::Authentication => Fault::Broker,
            ErrorKind::Full
            | ErrorKind::TopicPending
            | ErrorKind::TooLarge
            | ErrorKind::ShortBuffer { .. }
            | ErrorKind::Misuse
            | ErrorKind::Credentials => Fault::Caller,
            ErrorKind::Closed
            | ErrorKind::TimedOut
            | ErrorKind::Unreachable
            | ErrorKind::Disconnected
            | ErrorKind::Exhausted => Fault::Transport,
        }
    }

    /// Whether two sides could not agree on who they are: it is told at once, since waiting seldom cures it.
    pub(crate) fn is_about_identity(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Authentication | ErrorKind::Untrusted | ErrorKind::Credentials
        )
    }

    fn into_inner(self) -> Inner {
        Arc::try_unwrap(self.0).unwrap_or_else(|shared| (*shared).clone())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.scope {
            Scope::Call | Scope::Client => Ok(()),
            Scope::Partition { topic, partition } => {
                write!(f, " (partition {partition} of topic {topic})")
            }
            Scope::Topic(topic) => write!(f, " (topic {topic})"),
            Scope::Connection(peer) => write!(f, " (connection to {peer})"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("code", &self.0.code)
            .field("outcome", &self.0.outcome)
            .field("scope", &self.0.scope)
            .field("message", &self.0.message)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|e| e as &(dyn StdError + 'static))
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::new(ErrorKind::Misuse, error.to_string()).caused_by(error)
    }
}
