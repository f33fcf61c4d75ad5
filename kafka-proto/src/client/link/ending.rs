//! What the end of a connection means, by how far it had come.

use std::io;

use super::{Auth, Inner, State};
use crate::{
    config::Config,
    error::{Error, ErrorKind},
    machine::authentication::Expect,
};

impl Inner {
    /// The error of a connection that the peer ended.
    pub(super) fn ended(&self, config: &Config) -> Error {
        let (kind, message) = match (&self.state, self.tls) {
            (State::Ready(_), _) if !self.heard && config.sasl.is_none() => (
                ErrorKind::Disconnected,
                "the broker closed the connection at the first request: it may expect SASL",
            ),
            (State::Ready(_) | State::Closed(_), _) => {
                (ErrorKind::Disconnected, "the broker closed the connection")
            }
            (State::Authenticate(_), _) => match &self.auth {
                Auth::Sent(Expect::Token(expect)) if expect.is_raw() => (
                    ErrorKind::Authentication,
                    "the broker closed the connection during the authentication, which is how brokers before 1.0 refuse \
                     credentials",
                ),
                _ => (
                    ErrorKind::Disconnected,
                    "the broker closed the connection during the authentication",
                ),
            },
            (_, Some(tls)) if !tls.answered => (
                ErrorKind::Disconnected,
                "the peer closed the connection during the TLS handshake: this listener may expect plaintext",
            ),
            (_, Some(tls)) if !tls.established => (
                ErrorKind::Disconnected,
                "the broker closed the connection during the TLS handshake",
            ),
            (_, Some(tls)) if !tls.heard => (
                ErrorKind::Disconnected,
                "the broker closed the connection after the TLS handshake: it may want a client certificate, or refuse ours",
            ),
            _ => (
                ErrorKind::Disconnected,
                "the broker closed the connection during the handshake: it may expect TLS or SASL, or be no Kafka broker",
            ),
        };
        Error::new(kind, message)
    }

    /// The error of a socket that failed while `doing`; a reset during the set-up means what a close means there.
    pub(super) fn socket_failed(&self, doing: &str, error: io::Error, config: &Config) -> Error {
        let failed = match self.state {
            State::Ready(_) | State::Closed(_) => {
                Error::new(ErrorKind::Disconnected, format!("{doing} failed: {error}"))
            }
            _ => self.ended(config),
        };
        failed.caused_by(error)
    }

    /// What the peer has left unanswered for the whole of the set-up time-out.
    pub(super) fn stuck(&self) -> Error {
        let (kind, message) = match (&self.state, self.tls) {
            (State::Authenticate(_), _) if matches!(self.auth, Auth::Wanted) => (
                ErrorKind::Credentials,
                "the provider of credentials did not answer within the set-up time-out",
            ),
            (State::Authenticate(_), _) => (
                ErrorKind::TimedOut,
                "the broker does not answer the authentication",
            ),
            (_, Some(tls)) if !tls.established => (
                ErrorKind::TimedOut,
                "the peer accepted the connection and does not answer the TLS handshake: is it a Kafka broker, and does this \
                 listener speak TLS?",
            ),
            _ => (
                ErrorKind::TimedOut,
                "the peer accepted the connection and does not answer the handshake: is it a Kafka broker, and does this \
                 listener speak plaintext?",
            ),
        };
        Error::new(kind, message)
    }
}
