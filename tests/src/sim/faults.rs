//! How much goes wrong, and for how long.

use std::time::Duration;

use kafka_proto::{api::ApiKey, error::ErrorCode};

use super::{
    chance::Chance,
    mishap::{MishapKind, Schedule},
};
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
    /// A partition is compacted: some of its records go, the others keep their offsets.
    pub compact_every: Option<Duration>,
    /// The followers of a partition lag for a while: writes wait for them, and what they do not have is lost when the
    /// leader changes.
    pub lag_every: Option<Duration>,
    /// Names are not found.
    pub lookup_per_mille: u32,
    /// Names lead to addresses of machines that are gone, before the right one.
    pub stale_per_mille: u32,
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
    /// Which of all this happens: all of it, unless a run is being cut down.
    pub schedule: Schedule,
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
            compact_every: None,
            lag_every: None,
            lookup_per_mille: 0,
            stale_per_mille: 0,
            refuse_per_mille: 0,
            vanish_per_mille: 0,
            mute_per_mille: 0,
            request_per_mille: 0,
            shuffle: false,
            schedule: Schedule::Drawn,
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
            compact_every: Some(ms(5_000)),
            lag_every: Some(ms(6_000)),
            lookup_per_mille: 10,
            stale_per_mille: 10,
            refuse_per_mille: 20,
            vanish_per_mille: 5,
            mute_per_mille: 5,
            request_per_mille: 5,
            shuffle: true,
            schedule: Schedule::Drawn,
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
            compact_every: Some(ms(700)),
            lag_every: Some(ms(900)),
            lookup_per_mille: 50,
            stale_per_mille: 50,
            refuse_per_mille: 100,
            vanish_per_mille: 30,
            mute_per_mille: 30,
            request_per_mille: 50,
            shuffle: true,
            schedule: Schedule::Drawn,
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
            &mut faults.compact_every,
            &mut faults.lag_every,
        ] {
            if chance.per_mille(300) {
                *every = None;
            }
        }
        if chance.per_mille(300) {
            faults.request_per_mille = 0;
        }
        faults.chunks = match chance.below(20) {
            0..6 => Chunks::Whole,
            6 => Chunks::Bytes,
            _ => Chunks::Odd,
        };
        if chance.per_mille(200) {
            faults.latency.1 = Duration::from_millis(300);
        }
        faults
    }

    /// How often something happens by itself.
    pub(super) fn every(&self, kind: MishapKind) -> Option<Duration> {
        match kind {
            MishapKind::Cut => self.cut_every,
            MishapKind::Silence => self.silence_every,
            MishapKind::Crash => self.crash_every,
            MishapKind::Move => self.move_every,
            MishapKind::Jump => self.jump_every,
            MishapKind::Compaction => self.compact_every,
            MishapKind::Lag => self.lag_every,
            // these happen to what is done
            MishapKind::Dial | MishapKind::Request => None,
        }
    }
}

/// What happens by itself.
pub(super) const BY_ITSELF: [MishapKind; 7] = [
    MishapKind::Cut,
    MishapKind::Silence,
    MishapKind::Crash,
    MishapKind::Move,
    MishapKind::Jump,
    MishapKind::Compaction,
    MishapKind::Lag,
];

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
