//! What a proxy does, and when.

use std::{fmt, time::Duration};

use crate::sim::{Chance, Way};

/// Something that a proxy does to the way to one broker. What lasts does so until [`Action::Heal`], for connections that
/// there are and for new ones.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Action {
    /// What passes takes this much longer, each way, and by chance up to the second time more. Order is kept.
    Delay(Duration, Duration),
    /// Each connection passes this many bytes a second each way; 0 counts as 1.
    Bandwidth(u64),
    /// Every connection ends now; what is on its way is lost.
    Cut,
    /// Every connection ends once this many more bytes have passed, both ways together.
    CutAfter(u64),
    /// Nothing passes, and connections stay open: new ones are accepted as well.
    Freeze,
    /// Brokers' ends are closed and clients' ends stay open, and silent, as when a host dies. New connections are the same.
    HalfOpen,
    /// New connections are ended at once.
    Refuse,
    /// In every connection one byte is inverted: the one that passes after `after` more, this way.
    Corrupt {
        /// Which way.
        way: Way,
        /// After how many bytes.
        after: u64,
    },
    /// All of this ends, and connections that are half open with it.
    Heal,
}

/// What lasts on the way to one broker.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Conditions {
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    pub(super) bandwidth: Option<u64>,
    pub(super) frozen: bool,
    pub(super) half_open: bool,
    pub(super) refuse: bool,
}

impl Conditions {
    pub(super) fn change(&mut self, action: &Action) {
        match action {
            Action::Delay(delay, jitter) => (self.delay, self.jitter) = (*delay, *jitter),
            Action::Bandwidth(bytes) => self.bandwidth = Some((*bytes).max(1)),
            Action::Freeze => self.frozen = true,
            Action::HalfOpen => self.half_open = true,
            Action::Refuse => self.refuse = true,
            Action::Heal => *self = Self::default(),
            Action::Cut | Action::CutAfter(_) | Action::Corrupt { .. } => {}
        }
    }
}

/// Actions and their times, for [`Proxy::play`](super::Proxy::play).
///
/// ```
/// use std::time::Duration;
///
/// use kafka_testing::proxy::{Action, Script};
///
/// let ms = Duration::from_millis;
/// let script = Script::new()
///     .at(ms(100), 0, Action::Freeze)
///     .at(ms(900), 0, Action::Heal)
///     .at(ms(950), 1, Action::Cut);
/// // or by chance, for three brokers and five seconds
/// let other = Script::seeded(17, 3, ms(5_000));
/// println!("{script}{other}");
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[must_use]
pub struct Script {
    /// In order of time.
    steps: Vec<(Duration, usize, Action)>,
}

impl Script {
    /// Does nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an action on the way to a broker, counted from 0, at a time from the begin. Of actions of one time, the first
    /// added comes first.
    pub fn at(mut self, time: Duration, broker: usize, action: Action) -> Self {
        let place = self.steps.partition_point(|(at, _, _)| *at <= time);
        self.steps.insert(place, (time, broker, action));
        self
    }

    /// Draws a script: something every 50 to 700 ms to one of `brokers` brokers, which heals within two seconds. At
    /// `length` all have healed.
    ///
    /// [`Action::Corrupt`] is not drawn: no checksum covers a request, or the answer to a write, and a broker or client
    /// that believes what it gets has done nothing wrong.
    pub fn seeded(seed: u64, brokers: usize, length: Duration) -> Self {
        let mut chance = Chance::new(seed, "proxy");
        let ms = |n: usize| Duration::from_millis(n as u64);
        let mut script = Self::new();
        let mut at = Duration::ZERO;
        loop {
            at += ms(chance.between(50, 700));
            if at >= length {
                break;
            }
            let broker = chance.below(brokers);
            let action = match chance.below(8) {
                0 => Action::Delay(ms(chance.below(100)), ms(chance.below(100))),
                1 => Action::Bandwidth(chance.between(10_000, 1_000_000) as u64),
                2 => Action::Freeze,
                3 => Action::HalfOpen,
                4 => Action::Refuse,
                5 => Action::CutAfter(chance.below(100_000) as u64),
                _ => Action::Cut,
            };
            let healed = at + ms(chance.between(100, 2_000));
            script = script.at(at, broker, action);
            if healed < length {
                script = script.at(healed, broker, Action::Heal);
            }
        }
        (0..brokers).fold(script, |script, broker| {
            script.at(length, broker, Action::Heal)
        })
    }

    /// When each step comes, to which broker, and what it is.
    pub fn steps(&self) -> &[(Duration, usize, Action)] {
        &self.steps
    }

    pub(super) fn check(&self, brokers: usize) -> Result<(), ScriptError> {
        let stray = |(_, (_, broker, _)): &(usize, &(Duration, usize, Action))| *broker >= brokers;
        match self.steps.iter().enumerate().find(stray) {
            None => Ok(()),
            Some((step, (_, broker, _))) => Err(ScriptError {
                step,
                broker: *broker,
                brokers,
            }),
        }
    }
}

/// One line a step.
impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, broker, action) in &self.steps {
            writeln!(f, "{at:>10?}  broker {broker}: {action:?}")?;
        }
        Ok(())
    }
}

/// A script names a broker that the proxy does not have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ScriptError {
    /// The step, from 0.
    pub step: usize,
    /// The broker that it names.
    pub broker: usize,
    /// How many brokers there are.
    pub brokers: usize,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            step,
            broker,
            brokers,
        } = self;
        write!(
            f,
            "step {step} of the script names broker {broker}, and the proxy has {brokers}, counted from 0"
        )
    }
}

impl std::error::Error for ScriptError {}
