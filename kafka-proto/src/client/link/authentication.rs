//! The sending half's part in SASL: credentials, and which step goes out.

use std::{
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;

use super::{
    Auth, InFlight, Inner, Purpose, Session, State,
    outbound::{Outbound, Step, Tried},
};
use crate::{
    api::ApiKey,
    client::{call::Form, sync::Lock},
    error::{Error, ErrorKind},
    machine::{
        Now,
        authentication::{Ask, Expect, ExpectMechanism},
        handshake::Versions,
    },
    wire::Wire,
};

impl Auth {
    /// Whether requests have to wait.
    pub(super) fn holds(&self) -> bool {
        !matches!(self, Self::Idle | Self::Wanted)
    }
}

/// What SASL wants next, if anything.
pub(super) fn auth_step(inner: &mut Inner, now: Now, tried: &mut Tried) -> Option<Step> {
    let (State::Authenticate(versions) | State::Ready(versions)) = &inner.state else {
        return None;
    };
    let is_due = |session: &Session| session.renew <= now.instant;
    if matches!(inner.auth, Auth::Idle) && inner.session.as_ref().is_some_and(is_due) {
        inner.auth = Auth::Wanted;
    }
    match inner.auth {
        Auth::Wanted if !tried.credentials => {
            tried.credentials = true;
            Some(Step::Credentials(versions.clone()))
        }
        Auth::Send(..) => match std::mem::replace(&mut inner.auth, Auth::Busy) {
            Auth::Send(ask, expect) => Some(Step::Authenticate(ask, expect)),
            _ => None,
        },
        _ => None,
    }
}

impl Inner {
    /// Whether the session has ended and there are no credentials to renew it with.
    pub(super) fn is_unrenewed(&self, now: Instant) -> bool {
        let over = |session: &Session| {
            session.ends <= now && (session.late.is_some() || matches!(self.auth, Auth::Wanted))
        };
        !self.auth.holds() && self.session.as_ref().is_some_and(over)
    }
}

impl Outbound {
    /// Asks for credentials, and begins an authentication once they are there.
    pub(super) fn poll_credentials(&mut self, versions: &Versions, now: Now, cx: &mut Context<'_>) {
        let Some(sasl) = self.link.common.config.sasl.clone() else {
            return;
        };
        let providing = self
            .providing
            .get_or_insert_with(|| Lock::new(sasl.provide()));
        let Poll::Ready(provided) = providing.lock().as_mut().poll(cx) else {
            return;
        };
        self.providing = None;
        let entropy = self.link.common.nonces.lock().draw();
        let started = match provided {
            Ok(mechanism) => ExpectMechanism::start(&*mechanism, entropy, versions),
            Err(e) => {
                let message = format!(
                    "the provider of credentials for {} failed: {e}",
                    sasl.name()
                );
                Err(Error::new(ErrorKind::Credentials, message).caused_by_any(e.into()))
            }
        };
        let error = match started {
            Ok((ask, expect)) => {
                self.provider_failures = 0;
                self.link.inner.lock().auth = Auth::Send(ask, Expect::Mechanism(expect));
                return;
            }
            Err(error) => error,
        };
        self.provider_failures += 1;
        let pause = self.link.common.pause(self.provider_failures);
        let mut inner = self.link.inner.lock();
        let inner_now = &mut *inner;
        if let (State::Ready(_), Some(session)) = (&inner_now.state, &mut inner_now.session) {
            // the session lasts a little longer: it may work the next time
            session.late = Some(error);
            session.renew = (now.instant + pause).min(session.ends);
            inner_now.auth = Auth::Idle;
            return;
        }
        drop(inner);
        self.link.close(&error);
    }

    pub(super) fn authenticate(&mut self, ask: Ask, expect: Expect, now: Now) {
        // before the request, so that no answer can find nobody who expects it
        self.link.inner.lock().auth = Auth::Sent(expect);
        let no_wait = std::time::Duration::ZERO;
        match ask {
            Ask::Mechanism(request, version) => {
                let (api, purpose) = (ApiKey::SaslHandshake, Purpose::Mechanism);
                self.frame(Form::of(api, version), now, no_wait, purpose, |w| {
                    request.write(w)
                });
            }
            Ask::Token(request, version) => {
                let (api, purpose) = (ApiKey::SaslAuthenticate, Purpose::Token);
                self.frame(Form::of(api, version), now, no_wait, purpose, |w| {
                    request.write(w)
                });
            }
            Ask::Raw(token) => {
                let length = u32::try_from(token.len()).unwrap_or(u32::MAX);
                let length = Bytes::copy_from_slice(&length.to_be_bytes());
                let request = InFlight {
                    correlation: 0,
                    form: Form::of(ApiKey::SaslAuthenticate, 0),
                    end: 0,
                    deadline: now.instant + self.link.common.config.request_timeout,
                    purpose: Purpose::RawToken,
                };
                self.enqueue(request, vec![length, token], true, now);
            }
        }
    }
}
