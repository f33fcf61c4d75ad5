//! What goes wrong, done to the network.

use std::{sync::PoisonError, time::Duration};

use kafka_proto::api::ApiKey;

use super::{
    chance::Chance,
    faults::{BY_ITSELF, request_fault},
    mishap::{Mishap, MishapKind},
    network::{Event, Network},
    trace::{Way, What},
};
use crate::broker::RuleId;

impl Network {
    pub(super) fn schedule_mishaps(&mut self) {
        if self.faults.until.is_zero() {
            return;
        }
        for kind in BY_ITSELF {
            self.times
                .insert(kind, Chance::nth(self.seed, "times", kind as u64));
            self.schedule_mishap(kind);
        }
        self.schedule(self.faults.until, Event::Quiet);
        if self.faults.request_per_mille > 0 {
            self.rule = Some(self.trouble_requests());
        }
    }

    /// Has some requests meet a fault.
    fn trouble_requests(&mut self) -> RuleId {
        let (seed, per_mille) = (self.seed, self.faults.request_per_mille);
        let (schedule, met) = (self.faults.schedule.clone(), self.met.clone());
        let mut nth = 0;
        self.cluster.intercept(move |request| {
            // a handshake that fails is a dial that fails, and there are enough of those
            if request.api == ApiKey::ApiVersions {
                return None;
            }
            let kind = MishapKind::Request;
            let mishap = Mishap { kind, nth };
            nth += 1;
            let mut chance = mishap.chance(seed);
            if !chance.per_mille(per_mille) || !schedule.allows(mishap) {
                return None;
            }
            met.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(mishap);
            Some(request_fault(request.api, &mut chance))
        })
    }

    /// The name of the next decision of a kind.
    pub(super) fn next_mishap(&mut self, kind: MishapKind) -> Mishap {
        let count = self.decided.entry(kind).or_default();
        *count += 1;
        let nth = *count - 1;
        Mishap { kind, nth }
    }

    /// What went wrong by chance, by kind and in order.
    pub(super) fn mishaps(&self) -> Vec<Mishap> {
        let met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = [&self.mishaps[..], &met].concat();
        all.sort_unstable();
        all
    }

    /// Something goes wrong by itself, and will again.
    pub(super) fn mishap(&mut self, kind: MishapKind) {
        let mishap = self.next_mishap(kind);
        if self.faults.schedule.allows(mishap) {
            self.mishaps.push(mishap);
            self.fate = mishap.chance(self.seed);
            self.go_wrong(kind);
        }
        self.schedule_mishap(kind);
    }

    fn go_wrong(&mut self, kind: MishapKind) {
        match kind {
            MishapKind::Cut => {
                if let Some(at) = self.any_connection() {
                    let keep = self.some_of_what_is_on_its_way(at);
                    self.cut(at, keep);
                }
            }
            MishapKind::Silence => {
                if let Some(at) = self.any_connection() {
                    let way = *self.fate.pick(&[Way::Up, Way::Down]);
                    self.silence(at, way);
                }
            }
            MishapKind::Crash => {
                let all: Vec<_> = self.cluster.brokers().collect();
                let broker = *self.fate.pick(&all);
                if self.cluster.is_running(broker) {
                    let (low, high) = self.faults.down_for;
                    let back = self.now() + self.fate.time(low, high);
                    self.crash(broker);
                    self.crashed.insert(broker);
                    self.schedule(back, Event::Start(broker));
                }
            }
            MishapKind::Move => self.move_some_leader(),
            MishapKind::Jump => {
                let ms = self.fate.below(7_200_000) as i64 - 3_600_000;
                self.clock.jump(ms);
                self.note(What::Jumped(ms));
            }
            MishapKind::Compaction => self.compact_some_partition(),
            MishapKind::Lag => self.hold_some_followers_up(),
            MishapKind::Dial | MishapKind::Request => {}
        }
    }

    fn hold_some_followers_up(&mut self) {
        let all = self.partitions();
        if all.is_empty() {
            return;
        }
        let (topic, partition) = self.fate.pick(&all).clone();
        let records = *self.fate.pick(&[1, 10, 1_000]);
        let until = self.now() + self.fate.about(Duration::from_secs(1));
        self.set_lag(&topic, partition, records);
        self.schedule(until, Event::CatchUp(topic, partition));
    }

    pub(super) fn set_lag(&mut self, topic: &str, partition: i32, records: i64) {
        self.note(What::Lags {
            topic: topic.to_owned(),
            partition,
            records,
        });
        // a scenario may have deleted the topic meanwhile
        if partition < self.cluster.partition_count(topic) {
            self.cluster.set_lag(topic, partition, records);
            self.settle();
        }
    }

    fn compact_some_partition(&mut self) {
        let all = self.partitions();
        if all.is_empty() {
            return;
        }
        let (topic, partition) = self.fate.pick(&all).clone();
        let share = *self.fate.pick(&[50, 300, 900]);
        let (fate, compacted) = (&mut self.fate, &mut self.compacted);
        let gone = self.cluster.compact(&topic, partition, |record| {
            let keep = !fate.per_mille(share);
            if !keep {
                compacted.push((topic.clone(), partition, record.clone()));
            }
            keep
        });
        self.note(What::Compacted {
            topic,
            partition,
            gone,
        });
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

    fn schedule_mishap(&mut self, kind: MishapKind) {
        let Some(every) = self.faults.every(kind) else {
            return;
        };
        let Some(times) = self.times.get_mut(&kind) else {
            return;
        };
        let pause = times.about(every);
        let at = self.now() + pause;
        if at < self.faults.until {
            self.schedule(at, Event::Mishap(kind));
        }
    }

    fn partitions(&self) -> Vec<(String, i32)> {
        let each = |t| (0..self.cluster.partition_count(t)).map(move |p| (str::to_owned(t), p));
        self.cluster.topics().flat_map(each).collect()
    }

    fn move_some_leader(&mut self) {
        let all = self.partitions();
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
