//! Faults by interception: which requests, what happens to them, how often.

use std::{fmt, sync::Arc, time::Duration};

use kafka_proto::{
    api::{AnyResponse, ApiKey},
    error::ErrorCode,
};

use super::{ConnId, request::Request};

type Change = Arc<dyn Fn(&Request, &mut AnyResponse) + Send + Sync>;
type Corrupt = Arc<dyn Fn(&mut Vec<u8>) + Send + Sync>;
type Predicate = Box<dyn FnMut(&Request) -> bool + Send>;
type Script = Box<dyn FnMut(&Request) -> Option<Fault> + Send>;

/// What happens to a request instead of a plain answer.
#[derive(Clone)]
#[non_exhaustive]
pub enum Fault {
    /// It is refused with this code and not applied. A Produce with acks 0 has no answer: it ends the connection, as in
    /// Kafka.
    Error(ErrorCode),
    /// It is applied and answered this much later.
    Delay(Duration),
    /// It is applied at once and answered this much later.
    DelayResponse(Duration),
    /// It waits, not applied, until [`Cluster::release`](super::Cluster::release).
    Hold,
    /// It is applied; the answer waits for [`Cluster::release`](super::Cluster::release).
    HoldResponse,
    /// It is applied, the answer is lost, and the connection goes on with the next request.
    DropResponse,
    /// The connection ends before the request is applied.
    DisconnectBefore,
    /// The request is applied, and the connection ends without an answer.
    DisconnectAfter,
    /// It is applied, and the answer is changed before it is encoded.
    Change(Change),
    /// It is applied, and the bytes of the answer, length included, are changed.
    Corrupt(Corrupt),
}

impl Fault {
    /// [`Fault::Change`] of a closure.
    pub fn change(change: impl Fn(&Request, &mut AnyResponse) + Send + Sync + 'static) -> Self {
        Self::Change(Arc::new(change))
    }

    /// [`Fault::Corrupt`] of a closure.
    pub fn corrupt(corrupt: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> Self {
        Self::Corrupt(Arc::new(corrupt))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(code) => f.debug_tuple("Error").field(code).finish(),
            Self::Delay(time) => f.debug_tuple("Delay").field(time).finish(),
            Self::DelayResponse(time) => f.debug_tuple("DelayResponse").field(time).finish(),
            Self::Hold => f.write_str("Hold"),
            Self::HoldResponse => f.write_str("HoldResponse"),
            Self::DropResponse => f.write_str("DropResponse"),
            Self::DisconnectBefore => f.write_str("DisconnectBefore"),
            Self::DisconnectAfter => f.write_str("DisconnectAfter"),
            Self::Change(_) => f.write_str("Change(..)"),
            Self::Corrupt(_) => f.write_str("Corrupt(..)"),
        }
    }
}

/// A [`Fault`] and the requests that meet it: all of them and once, until told otherwise.
///
/// ```
/// use kafka_proto::{api::ApiKey, error::ErrorCode};
/// use kafka_testing::broker::{Fault, Rule};
///
/// // the third and the fourth Produce that reaches broker 2
/// let fault = Fault::Error(ErrorCode::NOT_LEADER_OR_FOLLOWER);
/// let rule = Rule::new(fault).api(ApiKey::Produce).broker(2).skip(2).times(2);
/// ```
#[must_use]
pub struct Rule {
    fault: Fault,
    api: Option<ApiKey>,
    broker: Option<i32>,
    connection: Option<ConnId>,
    when: Option<Predicate>,
    skip: u64,
    /// How many are left; `None` has no end.
    times: Option<u64>,
}

impl Rule {
    /// Does this to the next request, whichever it is.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            api: None,
            broker: None,
            connection: None,
            when: None,
            skip: 0,
            times: Some(1),
        }
    }

    /// Only requests of this API.
    pub fn api(self, api: ApiKey) -> Self {
        Self {
            api: Some(api),
            ..self
        }
    }

    /// Only requests to this broker.
    pub fn broker(self, broker: i32) -> Self {
        Self {
            broker: Some(broker),
            ..self
        }
    }

    /// Only requests of this connection.
    pub fn connection(self, connection: ConnId) -> Self {
        Self {
            connection: Some(connection),
            ..self
        }
    }

    /// Only requests that a closure picks; it is asked last.
    pub fn when(self, when: impl FnMut(&Request) -> bool + Send + 'static) -> Self {
        Self {
            when: Some(Box::new(when)),
            ..self
        }
    }

    /// Lets the first `count` matching requests pass.
    pub fn skip(self, count: u64) -> Self {
        Self {
            skip: count,
            ..self
        }
    }

    /// Ends after `count` requests. Default: 1.
    pub fn times(self, count: u64) -> Self {
        Self {
            times: Some(count),
            ..self
        }
    }

    /// Never ends by itself.
    pub fn always(self) -> Self {
        Self {
            times: None,
            ..self
        }
    }

    fn meet(&mut self, request: &Request) -> Option<Fault> {
        let matches = self.times != Some(0)
            && self.api.is_none_or(|api| api == request.api)
            && self.broker.is_none_or(|broker| broker == request.broker)
            && self
                .connection
                .is_none_or(|connection| connection == request.connection)
            && self.when.as_mut().is_none_or(|when| when(request));
        if !matches {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times = self.times.map(|n| n - 1);
        Some(self.fault.clone())
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("fault", &self.fault)
            .field("api", &self.api)
            .field("broker", &self.broker)
            .field("connection", &self.connection)
            .field("when", &self.when.as_ref().map(|_| ".."))
            .field("skip", &self.skip)
            .field("times", &self.times)
            .finish()
    }
}

/// Names a rule of a cluster.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RuleId(u64);

/// The rules of a cluster, oldest first: the first that matches a request decides.
#[derive(Debug, Default)]
pub(super) struct Rules {
    entries: Vec<Entry>,
    next: u64,
}

#[derive(Debug)]
struct Entry {
    id: RuleId,
    source: Source,
    hits: u64,
}

enum Source {
    Rule(Rule),
    Script(Script),
    Removed,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(rule) => rule.fmt(f),
            Self::Script(_) => f.write_str("Script(..)"),
            Self::Removed => f.write_str("Removed"),
        }
    }
}

impl Rules {
    pub(super) fn inject(&mut self, rule: Rule) -> RuleId {
        self.push(Source::Rule(rule))
    }

    pub(super) fn intercept(&mut self, script: Script) -> RuleId {
        self.push(Source::Script(script))
    }

    pub(super) fn remove(&mut self, id: RuleId) {
        // the entry stays: its hits can still be asked for
        for entry in self.entries.iter_mut().filter(|e| e.id == id) {
            entry.source = Source::Removed;
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries
            .iter_mut()
            .for_each(|e| e.source = Source::Removed);
    }

    pub(super) fn hits(&self, id: RuleId) -> u64 {
        self.entries
            .iter()
            .find(|e| e.id == id)
            .map_or(0, |e| e.hits)
    }

    pub(super) fn meet(&mut self, request: &Request) -> Option<(RuleId, Fault)> {
        self.entries.iter_mut().find_map(|entry| {
            let fault = match &mut entry.source {
                Source::Rule(rule) => rule.meet(request)?,
                Source::Script(script) => script(request)?,
                Source::Removed => return None,
            };
            entry.hits += 1;
            Some((entry.id, fault))
        })
    }

    fn push(&mut self, source: Source) -> RuleId {
        let id = RuleId(self.next);
        self.next += 1;
        self.entries.push(Entry {
            id,
            source,
            hits: 0,
        });
        id
    }
}
