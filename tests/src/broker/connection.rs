//! Connections: requests one at a time and in order, and what may hold one up.
//!
//! | a request | becomes |
//! |---|---|
//! | that no fault meets | applied, then answered |
//! | a Fetch without enough records | `Waiting::Fetch`, until records come or its time is up |
//! | a Produce whose followers lag | applied, then `Waiting::Replicas`, then answered |
//! | under `Delay` or `Hold` | `Waiting::Before`, then applied |
//! | under `DelayResponse` or `HoldResponse` | applied, then `Waiting::After`, then answered |
//! | that is throttled | applied, answered, then `Waiting::Muted` |

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use kafka_proto::{
    api::{AnyRequest, AnyResponse, ApiKey, produce::ProduceResponse},
    error::ErrorCode,
};

use super::{
    Cluster, ConnId, Fault, RuleId,
    api::{self, Behind, Outcome, fail_behind},
    request::{Refused, Request, encode},
    sasl::Auth,
};

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) broker: i32,
    /// Frames that nobody has looked at yet.
    pub(super) queue: VecDeque<Bytes>,
    pub(super) auth: Auth,
    waiting: Option<Waiting>,
}

/// Why the request in hand is not answered yet.
#[derive(Debug)]
enum Waiting {
    Fetch {
        request: Request,
        then: Then,
        deadline: Instant,
    },
    Replicas {
        request: Request,
        response: ProduceResponse,
        behind: Vec<Behind>,
        then: Then,
        deadline: Instant,
    },
    Before {
        request: Request,
        until: Until,
    },
    After {
        frame: Bytes,
        until: Until,
    },
    Muted {
        until: Until,
    },
}

#[derive(Clone, Copy, Debug)]
enum Until {
    Time(Instant),
    Released(RuleId),
    /// Nothing holds it any more.
    Now,
}

/// What becomes of the answer.
#[derive(Clone, Debug)]
enum Then {
    Respond,
    Fault(RuleId, Fault),
}

impl Connection {
    pub(super) fn new(broker: i32, asks: bool) -> Self {
        let auth = if asks {
            Auth::ExpectHandshake
        } else {
            Auth::Open
        };
        Self {
            broker,
            auth,
            queue: VecDeque::new(),
            waiting: None,
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.waiting.is_some()
    }
}

impl Cluster {
    /// Looks at every connection that may have become able to go on.
    pub(super) fn run(&mut self) {
        while let Some(connection) = self.ready.pop_first() {
            if let Some(waiting) = self.take_waiting(connection) {
                self.resume(connection, waiting);
            }
            while let Some(frame) = self.next_frame(connection) {
                self.handle_frame(connection, &frame);
            }
        }
    }

    /// A broker ends a connection.
    pub(super) fn close(&mut self, connection: ConnId) {
        if self.drop_connection(connection) {
            self.closes.push_back(connection);
        }
    }

    /// Forgets a connection. Returns whether there was one.
    pub(super) fn drop_connection(&mut self, connection: ConnId) -> bool {
        match self.take_waiting(connection) {
            Some(Waiting::Fetch { request, .. }) => self.watch(&request, false),
            Some(Waiting::Replicas { behind, .. }) => {
                self.watch_replicas(connection, &behind, false);
            }
            _ => {}
        }
        self.connections.remove(&connection).is_some()
    }

    pub(super) fn release_held(&mut self, mut released: impl FnMut(RuleId) -> bool) {
        for (id, connection) in &mut self.connections {
            if let Some(Waiting::Before { until, .. } | Waiting::After { until, .. }) =
                &mut connection.waiting
                && let Until::Released(rule) = *until
                && released(rule)
            {
                *until = Until::Now;
                self.ready.insert(*id);
            }
        }
        self.run();
    }

    /// The time of the call in hand. Only a call that brings a time leads to a request.
    pub(super) fn time(&self) -> Instant {
        self.now
            .expect("a request was handled, and it came with a time")
    }

    /// This much later, or in [`LONGEST_WAIT`].
    fn after(&self, time: Duration) -> Instant {
        self.time() + time.min(LONGEST_WAIT)
    }

    fn next_frame(&mut self, connection: ConnId) -> Option<Bytes> {
        let open = self.connections.get_mut(&connection)?;
        match open.waiting {
            None => open.queue.pop_front(),
            Some(_) => None,
        }
    }

    fn take_waiting(&mut self, connection: ConnId) -> Option<Waiting> {
        let waiting = self.connections.get_mut(&connection)?.waiting.take()?;
        if let Some(due) = waiting.due() {
            self.timers.remove(&(due, connection));
        }
        Some(waiting)
    }

    fn wait(&mut self, connection: ConnId, waiting: Waiting) {
        let Some(open) = self.connections.get_mut(&connection) else {
            return;
        };
        if let Some(due) = waiting.due() {
            self.timers.insert((due, connection));
        }
        open.waiting = Some(waiting);
    }

    fn resume(&mut self, connection: ConnId, waiting: Waiting) {
        let now = self.time();
        match waiting {
            Waiting::Fetch {
                request,
                then,
                deadline,
            } => {
                let AnyRequest::Fetch(fetch) = &request.body else {
                    return;
                };
                if now < deadline && !self.fetch_is_ready(&request, fetch) {
                    return self.wait(
                        connection,
                        Waiting::Fetch {
                            request,
                            then,
                            deadline,
                        },
                    );
                }
                let response = self.fetch_answer(&request, fetch);
                self.watch(&request, false);
                self.respond(request, AnyResponse::Fetch(response), then);
            }
            Waiting::Replicas {
                request,
                mut response,
                behind,
                then,
                deadline,
            } => {
                let left = self.still_behind(request.broker, &behind, &mut response);
                if !left.is_empty() && now < deadline {
                    let waiting = Waiting::Replicas {
                        request,
                        response,
                        behind,
                        then,
                        deadline,
                    };
                    return self.wait(connection, waiting);
                }
                fail_behind(&left, ErrorCode::REQUEST_TIMED_OUT, &mut response);
                self.watch_replicas(connection, &behind, false);
                self.respond(request, AnyResponse::Produce(response), then);
            }
            Waiting::Muted { until } if until.is_over(now) => {}
            Waiting::Before { request, until } if until.is_over(now) => {
                self.apply(request, Then::Respond)
            }
            Waiting::After { frame, until } if until.is_over(now) => {
                self.responses.push_back((connection, frame));
            }
            waiting => self.wait(connection, waiting),
        }
    }

    fn handle_frame(&mut self, connection: ConnId, frame: &Bytes) {
        let open = &self.connections[&connection];
        if open.auth.is_raw() {
            return match self.raw_token(connection, frame) {
                Some(answer) => self.responses.push_back((connection, answer)),
                None => self.close(connection),
            };
        }
        let broker = open.broker;
        match Request::decode(
            frame,
            connection,
            (broker, self.release_of(broker)),
            &self.config,
        ) {
            Ok(request) if !self.admits(&request) => self.close(connection),
            Ok(request) => self.begin(request),
            Err(Refused::ApiVersions { correlation_id }) => {
                let response = AnyResponse::ApiVersions(self.api_versions_unknown(broker));
                let frame = encode(ApiKey::ApiVersions, 0, correlation_id, &response);
                self.responses.push_back((connection, frame));
            }
            Err(Refused::Close) => self.close(connection),
        }
    }

    fn begin(&mut self, request: Request) {
        let connection = request.connection;
        let Some((rule, fault)) = self.rules.meet(&request) else {
            return self.apply(request, Then::Respond);
        };
        match fault {
            Fault::Error(code) => match api::refuse(&request, code) {
                Some(response) => self.respond(request, response, Then::Respond),
                None => self.close(connection),
            },
            Fault::Delay(time) => {
                let until = Until::Time(self.after(time));
                self.wait(connection, Waiting::Before { request, until });
            }
            Fault::Hold => {
                let until = Until::Released(rule);
                self.wait(connection, Waiting::Before { request, until });
            }
            Fault::DisconnectBefore => self.close(connection),
            fault => self.apply(request, Then::Fault(rule, fault)),
        }
    }

    fn apply(&mut self, mut request: Request, then: Then) {
        let connection = request.connection;
        if let Err(code) = self.begin_session(&mut request) {
            return match api::refuse(&request, code) {
                Some(response) => self.respond(request, response, then),
                None => self.close(connection),
            };
        }
        match self.handle(&request) {
            Outcome::Respond(response) => {
                self.respond(request, response, then);
                if self
                    .connections
                    .get(&connection)
                    .is_some_and(|open| open.auth.is_refused())
                {
                    self.close(connection);
                }
            }
            Outcome::Silent => {
                if let Then::Fault(_, Fault::DisconnectAfter) = then {
                    self.close(connection);
                }
            }
            Outcome::Close => self.close(connection),
            Outcome::WaitForReplicas(response, behind, max) => {
                self.watch_replicas(connection, &behind, true);
                let deadline = self.after(max);
                let waiting = Waiting::Replicas {
                    request,
                    response,
                    behind,
                    then,
                    deadline,
                };
                self.wait(connection, waiting);
            }
            Outcome::Wait(max) => {
                self.watch(&request, true);
                let deadline = self.after(max);
                self.wait(
                    connection,
                    Waiting::Fetch {
                        request,
                        then,
                        deadline,
                    },
                );
            }
        }
    }

    /// Completes a Fetch by what its session remembers.
    fn begin_session(&mut self, request: &mut Request) -> Result<(), ErrorCode> {
        let AnyRequest::Fetch(fetch) = &mut request.body else {
            return Ok(());
        };
        if request.version >= 7
            && let Some(broker) = self.brokers.get_mut(&request.broker)
        {
            request.session = broker.sessions.begin(fetch)?;
        }
        Ok(())
    }

    fn respond(&mut self, request: Request, mut response: AnyResponse, then: Then) {
        let connection = request.connection;
        if let (AnyResponse::Fetch(fetch), Some(turn)) = (&mut response, request.session)
            && let Some(broker) = self.brokers.get_mut(&request.broker)
        {
            broker.sessions.finish(turn, fetch);
        }
        let throttle = self.throttles.get(&request.api).copied();
        if let Some(time) = throttle {
            api::set_throttle_time(&mut response, time);
        }
        if let Then::Fault(_, Fault::Change(change)) = &then {
            change(&request, &mut response);
        }
        let frame = request.answer(&response);
        match then {
            Then::Fault(_, Fault::DropResponse) => {}
            Then::Fault(_, Fault::DisconnectAfter) => self.close(connection),
            Then::Fault(_, Fault::DelayResponse(time)) => {
                let until = Until::Time(self.after(time));
                self.wait(connection, Waiting::After { frame, until });
            }
            Then::Fault(rule, Fault::HoldResponse) => {
                self.wait(
                    connection,
                    Waiting::After {
                        frame,
                        until: Until::Released(rule),
                    },
                );
            }
            Then::Fault(_, Fault::Corrupt(corrupt)) => {
                let mut bytes = frame.to_vec();
                corrupt(&mut bytes);
                self.responses.push_back((connection, bytes.into()));
            }
            Then::Respond | Then::Fault(..) => {
                self.responses.push_back((connection, frame));
                if let Some(time) = throttle {
                    let until = Until::Time(self.after(time));
                    self.wait(connection, Waiting::Muted { until });
                }
            }
        }
    }
}

/// A client cannot ask for more with an int32 of ms, and the sum with any `Instant` stays in range.
const LONGEST_WAIT: Duration = Duration::from_millis(i32::MAX as u64);

impl Waiting {
    fn due(&self) -> Option<Instant> {
        match self {
            Self::Fetch { deadline, .. } | Self::Replicas { deadline, .. } => Some(*deadline),
            Self::Before { until, .. } | Self::After { until, .. } | Self::Muted { until } => {
                match until {
                    Until::Time(due) => Some(*due),
                    Until::Released(_) | Until::Now => None,
                }
            }
        }
    }
}

impl Until {
    fn is_over(self, now: Instant) -> bool {
        match self {
            Self::Time(due) => due <= now,
            Self::Released(_) => false,
            Self::Now => true,
        }
    }
}
