//! The connections of a client: to whom, when to dial again, when to let go.

use std::sync::Arc;

use super::{Control, Entry, Key, Repeated};
use crate::{
    client::{
        dial::Dial,
        inbox::Target,
        link::{Kind, Link},
    },
    config::Address,
    error::{Error, ErrorKind, Outcome, Scope},
    event::Event,
    machine::{Now, backoff, earlier, handshake::ExpectVersions},
};

impl Control {
    /// Closes connections that nothing needs, and sees when to look again. Brokers close them too, a little later, and
    /// what is sent at that moment is lost.
    pub(super) fn close_idle(&mut self, now: Now) {
        self.idle_at = None;
        let Some(limit) = self.common.config.idle_timeout else {
            return;
        };
        let mut idle_at = None;
        self.links.retain(|key, entry| {
            if matches!(key, Key::Fetch(..)) {
                return true;
            }
            let since = entry.link.idle_since().unwrap_or(now.instant);
            let is_idle = since + limit <= now.instant;
            if is_idle {
                entry.link.close(&Error::closed());
            } else {
                idle_at = earlier(idle_at, Some(since + limit));
            }
            !is_idle
        });
        self.idle_at = idle_at;
    }

    /// A ready general link to anybody; dials the next candidate if there is none and none is being made.
    pub(super) fn any_link(&mut self, now: Now) -> Option<Arc<Link>> {
        let general = |key: &Key| matches!(key, Key::Seed(_) | Key::General(_));
        let ready = self
            .links
            .iter()
            .find(|(key, entry)| general(key) && entry.ready);
        if let Some((_, entry)) = ready {
            return Some(entry.link.clone());
        }
        if self.links.keys().any(general) || self.is_ending() {
            return None;
        }
        // brokers that are known first; when none of them answers, those that the user named (KIP-899, KIP-1102)
        let known = self
            .cluster
            .brokers()
            .map(|(id, address)| (Key::General(id), address.clone()));
        let seeds = self
            .common
            .config
            .bootstrap
            .iter()
            .map(|address| (Key::Seed(address.clone()), address.clone()));
        let candidates: Vec<_> = known.chain(seeds).collect();
        for turn in 0..candidates.len() {
            let at = (self.next_candidate + turn) % candidates.len();
            let (key, address) = &candidates[at];
            if !self.is_pausing(address, now) {
                self.next_candidate = at + 1;
                self.dial(key.clone(), address.clone(), Kind::General, now);
                return None;
            }
        }
        None
    }

    /// The link under `key`, ready or being made; makes it unless its address is in a pause.
    pub(super) fn link_to(
        &mut self,
        key: Key,
        broker: i32,
        kind: impl FnOnce() -> Kind,
        now: Now,
    ) -> Option<Arc<Link>> {
        let address = self.cluster.broker(broker)?.clone();
        if let Some(entry) = self.links.get(&key) {
            if entry.address == address {
                return Some(entry.link.clone());
            }
            // the broker has moved
            let link = entry.link.clone();
            self.links.remove(&key);
            link.close(&Error::new(
                ErrorKind::Disconnected,
                "the broker has another address now",
            ));
        }
        if self.is_ending() || self.is_pausing(&address, now) {
            return None;
        }
        Some(self.dial(key, address, kind(), now))
    }

    /// Why nothing goes to a broker now, if one side does not take the other's identity. That is told at once; whoever
    /// calls after the pause is the next try.
    pub(super) fn refusal(&self, broker: i32, now: Now) -> Option<Error> {
        let address = self.cluster.broker(broker)?;
        let error = self.last_failures.get(address)?;
        (error.is_about_identity() && self.is_pausing(address, now)).then(|| error.clone())
    }

    /// Tells those whom a connection that was refused leaves without one.
    pub(super) fn tell_refused(&mut self, link: &Link, error: &Error) {
        if let Kind::Fetch(shelf) = &link.kind {
            shelf.fail(error.clone());
        }
        let is_refused = |address: &Address| {
            let last = self.last_failures.get(address);
            last.is_some_and(Error::is_about_identity)
        };
        let known = self.cluster.brokers().map(|(_, address)| address);
        if !(self.common.config.bootstrap.iter().chain(known)).all(is_refused) {
            return;
        }
        let error = self.unreachable("no broker could be reached");
        self.shelves
            .values()
            .for_each(|shelf| shelf.fail(error.clone()));
        self.slots
            .drain(..)
            .for_each(|(_, slot)| slot.fail(error.clone()));
        let calls = self.calls.extract_if(.., |(target, _)| {
            matches!(target, Target::Any | Target::Controller)
        });
        calls.for_each(|(_, call)| call.to.resolve(Err(error.clone())));
    }

    pub(super) fn is_ending(&self) -> bool {
        self.closing && self.is_idle()
    }

    pub(super) fn is_pausing(&self, address: &Address, now: Now) -> bool {
        self.addresses
            .get(address)
            .and_then(|reach| reach.not_before)
            .is_some_and(|at| at > now.instant)
    }

    pub(super) fn dial(&mut self, key: Key, address: Address, kind: Kind, now: Now) -> Arc<Link> {
        let rung = self.addresses.get(&address).map_or(0, |reach| reach.rung);
        let peer: Arc<str> = address.to_string().into();
        let (link, outbound, inbound) =
            Link::new(kind, peer, &address.host, self.common.clone(), rung, now);
        match &link.kind {
            Kind::Produce => self.common.writing.lock().count += 1,
            Kind::Fetch(shelf) => shelf.count_dial(),
            Kind::General => {}
        }
        let deadline = self.common.config.setup_deadline(now.instant);
        self.links.insert(
            key,
            Entry {
                link: link.clone(),
                address: address.clone(),
                ready: false,
                since: now.instant,
            },
        );
        self.dials.push_back(Dial {
            address,
            deadline,
            outbound,
            inbound,
        });
        link
    }

    pub(super) fn handle_ready(&mut self, link: &Arc<Link>, now: Now) {
        let mut entries = self.links.iter_mut();
        let Some((key, entry)) = entries.find(|(_, entry)| Arc::ptr_eq(&entry.link, link)) else {
            return;
        };
        entry.ready = true;
        let took = now.instant.saturating_duration_since(entry.since);
        match &link.kind {
            Kind::Produce => self.common.writing.lock().time.record(took),
            Kind::Fetch(shelf) => shelf.count_dialled(took),
            Kind::General => {}
        }
        self.last_failures.remove(&entry.address);
        let idle_at = self.common.config.idle_timeout.map(|t| entry.since + t);
        self.idle_at = self.idle_at.or(idle_at);
        self.events.publish(&Event::Connected {
            peer: link.peer.clone(),
        });
        // the first one is where every client begins
        if matches!(key, Key::Seed(_)) && self.cluster.is_known() {
            self.events.publish(&Event::Rebootstrapped);
        }
    }

    pub(super) fn handle_down(&mut self, link: &Arc<Link>, error: Error, now: Now) {
        let key = self
            .links
            .iter()
            .find(|(_, entry)| Arc::ptr_eq(&entry.link, link))
            .map(|(key, _)| key.clone());
        let Some(entry) = key.and_then(|key| self.links.remove(&key)) else {
            return;
        };
        if error.kind() == ErrorKind::Closed {
            if !entry.ready {
                // a dial that is dropped by what should make it would be wanted again at once, for ever
                let reach = self.addresses.entry(entry.address).or_default();
                reach.not_before = Some(now.instant + self.common.config.reconnect_backoff.0);
            }
            return;
        }
        let most = self.common.config.reconnect_backoff.1;
        let reach = self.addresses.entry(entry.address.clone()).or_default();
        if entry.ready && now.instant.duration_since(entry.since) > most {
            reach.failures = 0;
        }
        reach.failures += 1;
        let pause = self.common.config.reconnect_backoff;
        reach.not_before = Some(
            now.instant + backoff::pause(reach.failures, pause, &mut self.common.random.lock()),
        );
        // a broker that does not know our greeting may just hang up: the next one is lower, and comes at once
        let hung_up =
            !entry.ready && error.kind() == ErrorKind::Disconnected && !link.has_greeted();
        if hung_up && reach.rung + 1 < ExpectVersions::LADDER.len() {
            reach.rung += 1;
            reach.not_before = None;
        } else if !entry.ready || !self.cluster.is_known() {
            // one that shakes hands and never describes the cluster has not answered either
            reach.rung = if entry.ready { reach.rung } else { 0 };
            self.last_failures.insert(entry.address, error.clone());
            self.tell_unready();
        }
        if let (Kind::Fetch(shelf), true, ErrorKind::TimedOut) =
            (&link.kind, entry.ready, error.kind())
        {
            shelf.count_timeout();
        }
        if error.is_about_identity() {
            self.tell_refused(link, &error);
        }
        let kind = match entry.ready {
            true => Repeated::Disconnected,
            false => Repeated::Unreachable,
        };
        self.publish_limited(kind, &link.peer, now, |peer, unreported| {
            match entry.ready {
                true => Event::Disconnected {
                    peer,
                    error,
                    unreported,
                },
                false => Event::Unreachable {
                    peer,
                    error,
                    unreported,
                },
            }
        });
        self.cluster.refresh();
    }

    /// Publishes an event that a broken network repeats.
    pub(super) fn publish_limited(
        &mut self,
        kind: Repeated,
        peer: &Arc<str>,
        now: Now,
        event: impl FnOnce(Arc<str>, u64) -> Event,
    ) {
        if let Some(unreported) = self.limit.admit((kind, peer.clone()), now.instant) {
            self.events.publish(&event(peer.clone(), unreported));
        }
    }

    /// Tells those who wait for the first metadata, once every bootstrap broker has failed.
    pub(super) fn tell_unready(&mut self) {
        let failed = |address: &Address| self.last_failures.contains_key(address);
        if self.cluster.is_known() || !self.common.config.bootstrap.iter().all(failed) {
            return;
        }
        let error = self.unreachable("no broker could be reached");
        self.readiness
            .drain(..)
            .for_each(|promise| promise.resolve(Err(error.clone())));
    }

    pub(super) fn unreachable(&self, what: &'static str) -> Error {
        let reasons: Vec<_> = self
            .last_failures
            .iter()
            .map(|(address, error)| format!("{address}: {error}"))
            .collect();
        let message = match reasons.is_empty() {
            true => what.to_owned(),
            false => format!("{what}: {}", reasons.join("; ")),
        };
        let mut failures = self.last_failures.values();
        let kind = match failures.next() {
            // the same cure helps with all of them, and waiting does not
            Some(first) if first.is_about_identity() && failures.all(Error::is_about_identity) => {
                first.kind()
            }
            Some(first)
                if first.kind() == ErrorKind::Unsupported
                    && failures.all(|f| f.kind() == ErrorKind::Unsupported) =>
            {
                first.kind()
            }
            _ => ErrorKind::Unreachable,
        };
        let error = Error::new(kind, message).with_scope(Scope::Client);
        match self.last_failures.values().next() {
            Some(cause) => error.caused_by(cause.clone()),
            None => error,
        }
        .with_outcome(Outcome::NotWritten)
    }
}
