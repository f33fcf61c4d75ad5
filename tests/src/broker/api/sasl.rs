//! SaslHandshake 0 to 1 and SaslAuthenticate 0 to 2: who comes, as `SaslServerAuthenticator` asks it.
//!
//! - Before they are known, clients may send nothing but ApiVersions and these; anything else ends the connection. So does
//!   anything but SaslHandshake after the end of a session (KIP-368), and a session that is renewed by somebody else.
//! - After SaslHandshake version 0 the exchange goes on without headers, and a refusal is the end of the connection.
//! - A refusal is answered and ends the connection after that, at once: `connection.failed.authentication.delay.ms` is 0.

use std::ops::RangeInclusive;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_proto::{
    api::{
        ApiKey,
        sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse},
        sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse},
    },
    error::ErrorCode,
};

use super::super::{
    Cluster, ConnId,
    request::Request,
    sasl::{Auth, Exchange, Verdict},
};

pub(super) const HANDSHAKE_VERSIONS: RangeInclusive<i16> = 0..=1;
pub(super) const AUTHENTICATE_VERSIONS: RangeInclusive<i16> = 0..=2;

impl Cluster {
    pub(super) fn sasl_handshake(
        &mut self,
        request: &Request,
        m: &SaslHandshakeRequest,
    ) -> SaslHandshakeResponse {
        let (Some(sasl), Some(open)) = (
            &self.config.sasl,
            self.connections.get_mut(&request.connection),
        ) else {
            return refuse_handshake(ErrorCode::ILLEGAL_SASL_STATE);
        };
        let mechanisms = sasl.offered();
        let Some(exchange) =
            Exchange::begin(&m.mechanism).filter(|_| mechanisms.contains(&m.mechanism))
        else {
            open.auth = Auth::Refused;
            return SaslHandshakeResponse::build(|r| {
                r.error_code = ErrorCode::UNSUPPORTED_SASL_MECHANISM.0;
                r.mechanisms = mechanisms;
            });
        };
        let was = match std::mem::replace(&mut open.auth, Auth::Refused) {
            Auth::Known { user, .. } => Some(user),
            _ => None,
        };
        open.auth = Auth::ExpectToken {
            exchange,
            raw: request.version == 0,
            was,
        };
        SaslHandshakeResponse::build(|r| r.mechanisms = mechanisms)
    }

    pub(super) fn sasl_authenticate(
        &mut self,
        request: &Request,
        m: &SaslAuthenticateRequest,
    ) -> SaslAuthenticateResponse {
        match self.token(request.connection, &m.auth_bytes) {
            None => refuse_authenticate(ErrorCode::ILLEGAL_SASL_STATE),
            Some(Err(reason)) => SaslAuthenticateResponse::build(|r| {
                r.error_code = ErrorCode::SASL_AUTHENTICATION_FAILED.0;
                r.error_message = Some(reason);
            }),
            Some(Ok(answer)) => {
                let known = self.connections.get(&request.connection);
                let is_known = known.is_some_and(|c| matches!(c.auth, Auth::Known { .. }));
                let lifetime = self.config.sasl.as_ref().and_then(|sasl| sasl.lifetime);
                let lifetime = lifetime.filter(|_| is_known && request.version > 0);
                SaslAuthenticateResponse::build(|r| {
                    r.auth_bytes = answer;
                    r.session_lifetime_ms = lifetime.map_or(0, |l| l.as_millis() as i64);
                })
            }
        }
    }

    /// A step without a header; `None` ends the connection.
    pub(in super::super) fn raw_token(
        &mut self,
        connection: ConnId,
        token: &[u8],
    ) -> Option<Bytes> {
        let answer = self.token(connection, token)?.ok()?;
        let mut frame = BytesMut::with_capacity(4 + answer.len());
        frame.put_u32(answer.len() as u32);
        frame.put_slice(&answer);
        Some(frame.freeze())
    }

    /// Whether a request may be looked at, by who sends it.
    pub(in super::super) fn admits(&self, request: &Request) -> bool {
        let Some(open) = self.connections.get(&request.connection) else {
            return false;
        };
        match &open.auth {
            Auth::Open => true,
            Auth::ExpectHandshake => {
                matches!(request.api, ApiKey::ApiVersions | ApiKey::SaslHandshake)
            }
            Auth::ExpectToken { .. } => request.api == ApiKey::SaslAuthenticate,
            Auth::Known { until, .. } => {
                request.api == ApiKey::SaslHandshake || until.is_none_or(|at| self.time() < at)
            }
            Auth::Refused => false,
        }
    }

    /// One step of an exchange: the answer, or why it has failed; `None` if there is no exchange.
    fn token(&mut self, connection: ConnId, token: &[u8]) -> Option<Result<Bytes, String>> {
        let now = self.time();
        let sasl = self.config.sasl.as_mut()?;
        let open = self.connections.get_mut(&connection)?;
        let auth = std::mem::replace(&mut open.auth, Auth::Refused);
        let Auth::ExpectToken { exchange, raw, was } = auth else {
            open.auth = auth;
            return None;
        };
        self.nonces += 1;
        let nonce = format!("exchange {:016}", self.nonces);
        Some(match exchange.step(sasl, token, &nonce) {
            Verdict::Goes { answer, exchange } => {
                open.auth = Auth::ExpectToken { exchange, raw, was };
                Ok(answer)
            }
            Verdict::Refuses(reason) => Err(reason),
            Verdict::Knows { user, .. } if was.as_ref().is_some_and(|was| *was != user) => {
                Err("Cannot change principals during re-authentication".to_owned())
            }
            Verdict::Knows { user, answer } => {
                let until = sasl.lifetime.filter(|_| !raw).map(|l| now + l);
                open.auth = Auth::Known { user, until };
                Ok(answer)
            }
        })
    }
}

pub(super) fn refuse_handshake(code: ErrorCode) -> SaslHandshakeResponse {
    SaslHandshakeResponse::build(|r| r.error_code = code.0)
}

pub(super) fn refuse_authenticate(code: ErrorCode) -> SaslAuthenticateResponse {
    SaslAuthenticateResponse::build(|r| r.error_code = code.0)
}
