//! Who had what, where members contradict each other.

use super::StickyUserData;
use crate::group::{GroupMember, roster::Roster};

/// What is believed of what members say they had.
#[derive(Debug)]
pub(super) struct Claims {
    /// What each member owns, ascending: of several who claim a partition, the one of the latest generation.
    pub(super) owned: Vec<Vec<usize>>,
    /// What each member says that it had, ascending, with the generation.
    pub(super) claimed: Vec<(Vec<usize>, i32)>,
    /// For each partition, whether several claim it in the latest generation of those who do: nobody owns it then.
    pub(super) disputed: Vec<bool>,
    /// The latest generation of all.
    pub(super) latest: i32,
}

/// The best claim to a partition so far.
#[derive(Clone, Copy)]
enum Claim {
    None,
    One { member: usize, generation: i32 },
    Several { generation: i32 },
}

impl Claims {
    pub(super) fn new(
        roster: &Roster<'_>,
        memory: impl Fn(&GroupMember) -> StickyUserData,
    ) -> Self {
        let members = roster.members.iter();
        let claimed: Vec<_> = members
            .map(|seat| {
                let said = memory(seat.member);
                (
                    roster.known(&said.partitions),
                    said.generation.unwrap_or(-1),
                )
            })
            .collect();
        let mut claims = vec![Claim::None; roster.partitions()];
        for (member, (partitions, generation)) in claimed.iter().enumerate() {
            let generation = *generation;
            for partition in partitions {
                let claim = &mut claims[*partition];
                let best = match *claim {
                    Claim::None => None,
                    Claim::One { generation, .. } | Claim::Several { generation } => {
                        Some(generation)
                    }
                };
                if best < Some(generation) {
                    *claim = Claim::One { member, generation };
                } else if best == Some(generation) {
                    *claim = Claim::Several { generation };
                }
            }
        }
        let mut owned = vec![Vec::new(); roster.members.len()];
        for (partition, claim) in claims.iter().enumerate() {
            if let Claim::One { member, .. } = claim {
                owned[*member].push(partition);
            }
        }
        let disputed = claims.iter().map(|c| matches!(c, Claim::Several { .. }));
        Self {
            owned,
            disputed: disputed.collect(),
            latest: claimed.iter().map(|(_, g)| *g).max().unwrap_or(-1).max(-1),
            claimed,
        }
    }
}
