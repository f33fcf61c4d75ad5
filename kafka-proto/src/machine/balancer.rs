//! Which partition the writer's records without a key go to: a word of state. All else is in
//! [`partition`](crate::partition).

/// Bytes that records without a key send to one partition before the next one has its turn (KIP-794).
pub const STICKY_BYTES: u32 = 64 << 10;

/// The state of stickiness as one word, so that clones of a writer share it without a lock: the turn, and the bytes of
/// this turn.
///
/// Returns the word after `bytes` more, and the turn that these bytes belong to.
pub fn stick(word: u64, bytes: usize) -> (u64, u32) {
    let (turn, used) = ((word >> 32) as u32, word as u32);
    let used = used.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    let next = match used >= STICKY_BYTES {
        true => u64::from(turn.wrapping_add(1)) << 32,
        false => u64::from(turn) << 32 | u64::from(used),
    };
    (next, turn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_when_its_bytes_are_used_up() {
        let mut word = 0;
        let mut turns = Vec::new();
        for _ in 0..5 {
            let (next, turn) = stick(word, STICKY_BYTES as usize / 2);
            word = next;
            turns.push(turn);
        }
        assert_eq!(turns, [0, 0, 1, 1, 2]);
        assert_eq!(stick(word, usize::MAX).0 >> 32, 3);
    }
}
