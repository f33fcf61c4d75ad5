//! Each runtime writes, each reads what each has written.

use std::env;

use crate::{Runtime, common::Outcome, places::Place};

/// What a topic holds: how many, and a checksum that knows values and partitions, not the order between partitions.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Contents {
    pub(crate) count: u64,
    pub(crate) checksum: u64,
    /// Messages that came before an older one of their partition.
    pub(crate) disorder: u64,
}

impl Contents {
    /// Adds a message.
    pub(crate) fn add(&mut self, partition: i32, value: &[u8]) {
        // FNV-1a, summed: any order between partitions gives the same
        let start = 0xcbf2_9ce4_8422_2325 ^ u64::from(partition.unsigned_abs());
        let hash = value.iter().fold(start, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        self.count += 1;
        self.checksum = self.checksum.wrapping_add(hash);
    }
}

/// How many messages each runtime writes.
fn messages() -> u64 {
    let set = env::var("TRANSFER").ok().and_then(|n| n.parse().ok());
    set.unwrap_or(20_000)
}

/// All pairs at one place.
pub(crate) fn run(runtimes: &[Runtime], place: &Place) -> Outcome {
    let count = messages();
    for writer in runtimes {
        let topic = place.name();
        (writer.write)(place.clone(), topic.clone(), count);
        let mut first = None;
        for reader in runtimes {
            let contents = (reader.read)(place.clone(), topic.clone(), count);
            let pair = format!("{} reads what {} wrote", reader.name, writer.name);
            println!("{pair}: {contents:?}");
            let expected = *first.get_or_insert(contents);
            if contents != expected || contents.count != count || contents.disorder != 0 {
                return Err(
                    format!("{pair}: {contents:?}, expected {expected:?} of {count}").into(),
                );
            }
        }
    }
    Ok(())
}
