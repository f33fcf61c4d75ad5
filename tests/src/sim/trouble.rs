//! What goes wrong, done to the network.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kafka_proto::api::ApiKey;

use super::{
    chance::Chance,
    faults::{Trouble, request_fault},
    network::{Event, Network},
    trace::{Way, What},
};

impl Network {
    pub(super) fn schedule_troubles(&mut self, seed: u64) {
        if self.faults.until.is_zero() {
            return;
        }
        for trouble in Trouble::ALL {
            self.schedule_trouble(trouble);
        }
        self.schedule(self.faults.until, Event::Quiet);
        let per_mille = self.faults.request_per_mille;
        if per_mille > 0 {
            // a script must be `Send`
            let chance = Arc::new(Mutex::new(Chance::new(seed, "requests")));
            let rule = self.cluster.intercept(move |request| {
                // a handshake that fails is a dial that fails, and there are enough of those
                if request.api == ApiKey::ApiVersions {
                    return None;
                }
                let mut chance = chance.lock().unwrap_or_else(PoisonError::into_inner);
                let meets = chance.per_mille(per_mille);
                meets.then(|| request_fault(request.api, &mut chance))
            });
            self.rule = Some(rule);
        }
    }

    pub(super) fn trouble(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Cut => {
                if let Some(at) = self.any_connection() {
                    let keep = self.some_of_what_is_on_its_way(at);
                    self.cut(at, keep);
                }
            }
            Trouble::Silence => {
                if let Some(at) = self.any_connection() {
                    let way = *self.fate.pick(&[Way::Up, Way::Down]);
                    self.silence(at, way);
                }
            }
            Trouble::Crash => {
                let running: Vec<_> = self.cluster.brokers().collect();
                let broker = *self.fate.pick(&running);
                if self.cluster.is_running(broker) {
                    self.crash(broker);
                    self.crashed.insert(broker);
                    let (low, high) = self.faults.down_for;
                    let back = self.now() + self.fate.time(low, high);
                    self.schedule(back, Event::Start(broker));
                }
            }
            Trouble::Move => self.move_some_leader(),
            Trouble::Jump => {
                let ms = self.fate.below(7_200_000) as i64 - 3_600_000;
                self.clock.jump(ms);
                self.note(What::Jumped(ms));
            }
        }
        self.schedule_trouble(trouble);
    }

    /// From here on nothing goes wrong by chance.
    pub(super) fn calm(&mut self) {
        if let Some(rule) = self.rule.take() {
            self.cluster.remove_rule(rule);
        }
        for broker in std::mem::take(&mut self.crashed) {
            self.restart(broker);
        }
        self.note(What::Quiet);
    }

    pub(super) fn restart(&mut self, broker: i32) {
        self.crashed.remove(&broker);
        if !self.cluster.is_running(broker) {
            self.note(What::Started(broker));
            self.cluster.start(broker);
            self.settle();
        }
    }

    /// Kills a broker. Of what is on its way to it, it still applies what has come up to some byte; of its answers, those
    /// arrive that end before some byte.
    pub(super) fn crash(&mut self, broker: i32) {
        if !self.cluster.is_running(broker) {
            return;
        }
        self.note(What::Crashed(broker));
        let its =
            |(at, c): (&u64, &super::network::Connection)| (c.broker == broker).then_some(*at);
        let connections: Vec<_> = self.connections.iter().filter_map(its).collect();
        for at in &connections {
            let Some(pipe) = self.pipe(*at, Way::Up) else {
                continue;
            };
            let pending = pipe.pending;
            let keep = self.fate.between(0, pending);
            let Some(pipe) = self.pipe(*at, Way::Up) else {
                continue;
            };
            for bytes in pipe.hurry(keep) {
                self.deliver(*at, Way::Up, bytes);
            }
        }
        self.settle();
        for at in connections {
            let [_, down] = self.some_of_what_is_on_its_way(at);
            self.cut(at, [0, down]);
        }
        self.cluster.stop(broker);
        self.settle();
    }

    /// Breaks a connection: `keep` bytes of what is on its way, up and down, still arrive. Each side learns of it later.
    pub(super) fn cut(&mut self, at: u64, keep: [usize; 2]) {
        let mut lost = [0, 0];
        for (i, way) in [Way::Up, Way::Down].into_iter().enumerate() {
            let notice = match self.fate.below(8) {
                // a peer that is gone without a word
                0 => self.fate.about(Duration::from_secs(2)),
                _ => self.latency(),
            };
            let due = self.now() + notice;
            let Some(pipe) = self.pipe(at, way) else {
                return;
            };
            pipe.silent = false;
            let (due, gone) = pipe.cut(keep[i], due);
            lost[i] = gone;
            self.schedule(due, Event::Arrive(at, way));
        }
        let [lost_up, lost_down] = lost;
        self.note(What::Cut {
            connection: at,
            lost_up,
            lost_down,
        });
    }

    /// A connection swallows what is sent one way from now on.
    pub(super) fn silence(&mut self, at: u64, way: Way) {
        if let Some(pipe) = self.pipe(at, way) {
            pipe.silent = true;
            self.note(What::Silent {
                connection: at,
                way,
            });
        }
    }

    pub(super) fn lead(&mut self, topic: &str, partition: i32, broker: i32) {
        self.note(What::Led {
            topic: topic.to_owned(),
            partition,
            broker,
        });
        self.cluster.set_leader(topic, partition, broker);
        self.settle();
    }

    fn schedule_trouble(&mut self, trouble: Trouble) {
        let Some(every) = self.faults.every(trouble) else {
            return;
        };
        let at = self.now() + self.fate.about(every);
        if at < self.faults.until {
            self.schedule(at, Event::Trouble(trouble));
        }
    }

    fn move_some_leader(&mut self) {
        let all: Vec<(String, i32)> = self
            .cluster
            .topics()
            .flat_map(|t| (0..self.cluster.partition_count(t)).map(|p| (t.to_owned(), p)))
            .collect();
        let running = |id: &i32| self.cluster.is_running(*id);
        let brokers: Vec<_> = self.cluster.brokers().filter(running).collect();
        if all.is_empty() || brokers.is_empty() {
            return;
        }
        let (topic, partition) = self.fate.pick(&all).clone();
        let broker = *self.fate.pick(&brokers);
        self.lead(&topic, partition, broker);
        // some elections do not last
        if self.fate.per_mille(300) {
            let broker = *self.fate.pick(&brokers);
            self.lead(&topic, partition, broker);
        }
    }

    fn any_connection(&mut self) -> Option<u64> {
        let open = |(at, c): (&u64, &super::network::Connection)| {
            (!c.up.ended && !c.down.ended).then_some(*at)
        };
        let open: Vec<_> = self.connections.iter().filter_map(open).collect();
        (!open.is_empty()).then(|| *self.fate.pick(&open))
    }

    fn some_of_what_is_on_its_way(&mut self, at: u64) -> [usize; 2] {
        let pending = match self.connections.get(&at) {
            Some(connection) => [connection.up.pending, connection.down.pending],
            None => [0, 0],
        };
        pending.map(|most| self.fate.between(0, most))
    }
}
