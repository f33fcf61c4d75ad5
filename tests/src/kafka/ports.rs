//! Ports for one node, below the ephemeral range and safe from other launchers.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, process};

use super::error::LaunchError;
use super::security::Listener;

/// The ports of a node: ten in a row, of which the last but one is kept bound by us.
///
/// The bound one is how launchers tell each other, in this process and in others, that a block is taken: the broker binds
/// its own ports a second after we have looked, and leaves them while it is killed.
pub(super) struct PortBlock {
    first: u16,
    _guard: TcpListener,
}

impl PortBlock {
    /// Finds a free block.
    ///
    /// Never in the ephemeral range: while nothing listens yet on such a port, a connection attempt to it can be given
    /// that very port as its own and connect to itself.
    pub(super) fn take() -> Result<Self, LaunchError> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let low = LOWEST / BLOCK;
        let blocks = u64::from((ephemeral_start() / BLOCK).saturating_sub(low));
        let tried = TRIES.min(blocks as usize);
        // Where the search begins differs by process, time and call, so that two launchers rarely meet.
        let time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_nanos() as u64);
        let count = u64::from(COUNTER.fetch_add(1, Ordering::Relaxed));
        let seed = mix(time ^ (u64::from(process::id()) << 32) ^ count);
        for step in 0..tried as u64 {
            // `seed % blocks + step` modulo blocks visits each block once.
            let block = low + ((seed % blocks + step) % blocks) as u16;
            if let Some(taken) = Self::try_take(block * BLOCK) {
                return Ok(taken);
            }
        }
        Err(LaunchError::NoPorts { tried })
    }

    /// Where clients connect.
    pub(super) fn client(&self) -> u16 {
        self.first
    }

    /// Where the controllers of a cluster talk to each other.
    pub(super) fn controller(&self) -> u16 {
        self.first + BLOCK - 1
    }

    /// Where a proxy connects, if there is one before this node.
    pub(super) fn behind_proxy(&self) -> u16 {
        self.first + BEHIND_PROXY
    }

    /// Where a listener is that asks who comes, if there are such.
    pub(super) fn secured(&self, listener: Listener) -> u16 {
        self.first + listener.offset()
    }

    /// Where ZooKeeper listens, if there is one beside this node.
    pub(super) fn zookeeper(&self) -> u16 {
        self.first + ZOOKEEPER
    }

    fn try_take(first: u16) -> Option<Self> {
        let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok();
        let guard = bind(first + GUARD)?;
        let free = (first..first + BLOCK)
            .filter(|port| *port != first + GUARD)
            .all(|port| bind(port).is_some());
        free.then_some(Self {
            first,
            _guard: guard,
        })
    }
}

const BLOCK: u16 = 10;
const GUARD: u16 = 8;
const ZOOKEEPER: u16 = 7;
const BEHIND_PROXY: u16 = 5;
const LOWEST: u16 = 15_000;
const TRIES: usize = 500;

/// Where the system begins to hand out ports by itself.
pub(super) fn ephemeral_start() -> u16 {
    // 32768 is the default of Linux; others begin higher.
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(32_768)
}

/// Spreads the bits of a number (the finaliser of splitmix64).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_low_and_never_shared() {
        let blocks: Vec<_> = (0..20).map(|_| PortBlock::take().unwrap()).collect();
        let mut firsts: Vec<_> = blocks.iter().map(|b| b.client()).collect();
        assert!(
            firsts
                .iter()
                .all(|first| *first >= LOWEST && first + BLOCK <= ephemeral_start())
        );
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 20);
    }

    #[test]
    fn a_taken_block_is_free_after_its_owner() {
        let block = PortBlock::take().unwrap();
        assert!(PortBlock::try_take(block.first).is_none());
        let first = block.first;
        drop(block);
        assert!(PortBlock::try_take(first).is_some());
    }

    #[test]
    fn a_block_with_a_foreign_listener_is_left_alone() {
        let block = PortBlock::take().unwrap();
        let first = block.first;
        drop(block);
        let _foreign = TcpListener::bind((Ipv4Addr::LOCALHOST, first + 3)).unwrap();
        assert!(PortBlock::try_take(first).is_none());
    }
}
