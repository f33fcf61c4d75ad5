//! How much goes wrong, and for how long.

use std::time::Duration;

use kafka_proto::{api::ApiKey, error::ErrorCode};

use super::chance::Chance;
use crate::broker::Fault;

/// What goes wrong in a run. All of it is drawn from the seed.
///
/// The times `.._every` are means; `None` is never. The numbers `.._per_mille` are how many of 1,000.
///
/// ```
/// use std::time::Duration;
///
/// use kafka_testing::sim::Faults;
///
/// // everything but crashes
/// let faults = Faults { crash_every: None, ..Faults::rough() };
/// ```
#[derive(Clone, Debug)]
pub struct Faults {
    /// From then on nothing goes wrong any more, and brokers that crashed are back: a run can finish, and what has not
    /// finished by some time later never will.
    pub until: Duration,
    /// How long a piece of a stream travels, at least and at most. This does not end with `until`.
    pub latency: (Duration, Duration),
    /// Into what pieces streams are broken. This does not end with `until` either.
    pub chunks: Chunks,
    /// A connection is cut: of what is on its way some bytes arrive, and each side learns of it at its own time.
    pub cut_every: Option<Duration>,
    /// A connection loses all that is sent one way, without a word, until somebody gives it up.
    pub silence_every: Option<Duration>,
    /// A broker crashes: what is on its way to it is applied up to some byte, and its answers are lost from some byte on.
    pub crash_every: Option<Duration>,
    /// How long it stays down.
    pub down_for: (Duration, Duration),
    /// A partition gets another leader.
    pub move_every: Option<Duration>,
    /// The wall clock jumps, up to an hour either way.
    pub jump_every: Option<Duration>,
    /// Dials are refused.
    pub refuse_per_mille: u32,
    /// Dials get no answer.
    pub vanish_per_mille: u32,
    /// Connections are made and silent from then on.
    pub mute_per_mille: u32,
    /// Requests are refused, delayed, or end their connection.
    pub request_per_mille: u32,
    /// Whose turn it is, of those that were woken, is drawn; otherwise it is the first one's.
    pub shuffle: bool,
}

/// Into what pieces a stream is broken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Chunks {
    /// None: what is written at once arrives at once.
    Whole,
    /// Of any size, often of a few bytes.
    Odd,
    /// Of one byte.
    Bytes,
}

/// What the network does by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trouble {
    Cut,
    Silence,
    Crash,
    Move,
    Jump,
}

impl Faults {
    /// Nothing goes wrong, and everything takes 1 ms.
    pub fn none() -> Self {
        let ms = Duration::from_millis(1);
        Self {
            until: Duration::ZERO,
            latency: (ms, ms),
            chunks: Chunks::Whole,
            cut_every: None,
            silence_every: None,
            crash_every: None,
            down_for: (Duration::ZERO, Duration::ZERO),
            move_every: None,
            jump_every: None,
            refuse_per_mille: 0,
            vanish_per_mille: 0,
            mute_per_mille: 0,
            request_per_mille: 0,
            shuffle: false,
        }
    }

    /// What a bad day has: a few cuts and crashes in 10 s, odd pieces, some jitter.
    pub fn gentle() -> Self {
        let ms = Duration::from_millis;
        Self {
            until: ms(10_000),
            latency: (ms(0), ms(5)),
            chunks: Chunks::Odd,
            cut_every: Some(ms(2_000)),
            silence_every: Some(ms(8_000)),
            crash_every: Some(ms(6_000)),
            down_for: (ms(100), ms(2_000)),
            move_every: Some(ms(5_000)),
            jump_every: None,
            refuse_per_mille: 20,
            vanish_per_mille: 5,
            mute_per_mille: 5,
            request_per_mille: 5,
            shuffle: true,
        }
    }

    /// What no day has: hardly anything survives a second.
    pub fn rough() -> Self {
        let ms = Duration::from_millis;
        Self {
            until: ms(10_000),
            latency: (ms(0), ms(40)),
            chunks: Chunks::Odd,
            cut_every: Some(ms(250)),
            silence_every: Some(ms(1_500)),
            crash_every: Some(ms(1_000)),
            down_for: (ms(1), ms(1_500)),
            move_every: Some(ms(400)),
            jump_every: Some(ms(3_000)),
            refuse_per_mille: 100,
            vanish_per_mille: 30,
            mute_per_mille: 30,
            request_per_mille: 50,
            shuffle: true,
        }
    }

    /// One of these, or something between, by chance.
    pub fn any(chance: &mut Chance) -> Self {
        let mut faults = match chance.below(3) {
            0 => Self::gentle(),
            _ => Self::rough(),
        };
        // a run in which one thing never happens goes further into the others
        for every in [
            &mut faults.cut_every,
            &mut faults.silence_every,
            &mut faults.crash_every,
            &mut faults.move_every,
            &mut faults.jump_every,
        ] {
            if chance.per_mille(300) {
                *every = None;
            }
        }
        if chance.per_mille(300) {
            faults.request_per_mille = 0;
        }
        if chance.per_mille(300) {
            faults.chunks = Chunks::Whole;
        }
        if chance.per_mille(200) {
            faults.latency.1 = Duration::from_millis(300);
        }
        faults
    }

    pub(super) fn every(&self, trouble: Trouble) -> Option<Duration> {
        match trouble {
            Trouble::Cut => self.cut_every,
            Trouble::Silence => self.silence_every,
            Trouble::Crash => self.crash_every,
            Trouble::Move => self.move_every,
            Trouble::Jump => self.jump_every,
        }
    }
}

impl Trouble {
    pub(super) const ALL: [Self; 5] = [
        Self::Cut,
        Self::Silence,
        Self::Crash,
        Self::Move,
        Self::Jump,
    ];
}

/// What a request meets: codes that a broker of sound mind answers, and no lies about what was applied.
pub(super) fn request_fault(api: ApiKey, chance: &mut Chance) -> Fault {
    let pause = chance.about(Duration::from_millis(300));
    match chance.below(6) {
        0 => Fault::Delay(pause),
        1 => Fault::DelayResponse(pause),
        2 => Fault::DisconnectBefore,
        3 => Fault::DisconnectAfter,
        _ => match refusals(api) {
            [] => Fault::Delay(pause),
            codes => Fault::Error(*chance.pick(codes)),
        },
    }
}

fn refusals(api: ApiKey) -> &'static [ErrorCode] {
    match api {
        ApiKey::Produce => &[
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::NOT_ENOUGH_REPLICAS,
            ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            ErrorCode::KAFKA_STORAGE_ERROR,
            ErrorCode::REQUEST_TIMED_OUT,
        ],
        ApiKey::Fetch | ApiKey::ListOffsets => &[
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::KAFKA_STORAGE_ERROR,
            ErrorCode::UNKNOWN_LEADER_EPOCH,
            ErrorCode::FENCED_LEADER_EPOCH,
        ],
        ApiKey::InitProducerId => &[
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            ErrorCode::NOT_COORDINATOR,
        ],
        _ => &[],
    }
}
