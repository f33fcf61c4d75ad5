//! Splits what a socket gives into frames, without copying them.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// Bytes that a read should have room for.
const READ: usize = 64 << 10;
/// Room that is zeroed at once: it is still in the cache when a read fills it, and what never comes takes no memory.
const ZEROED: usize = 256 << 10;
/// Bytes of a correlation id.
const CORRELATION: usize = 4;

/// The read buffer of one connection.
///
/// Never sized by what a peer declares: at most the larger of 64 KiB and twice what has arrived of a frame, or at once
/// what our own request allowed ([`Frames::expect`]).
#[derive(Debug)]
pub struct Frames {
    /// Filled bytes first, then zeroed room.
    buffer: BytesMut,
    filled: usize,
    max_frame: usize,
    /// The shortest frame: a response has at least its correlation id.
    min_frame: usize,
    expected: usize,
}

/// A length that no frame of a Kafka broker has.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a frame of {length} bytes is announced, {max} are allowed")]
pub struct FrameError {
    length: i32,
    max: usize,
    first: [u8; 4],
}

impl FrameError {
    /// The four bytes that were read as a length: they tell who speaks instead of Kafka.
    pub fn first_bytes(&self) -> [u8; 4] {
        self.first
    }
}

impl Frames {
    /// A buffer that refuses frames above `max_frame` bytes.
    pub fn new(max_frame: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            filled: 0,
            max_frame,
            min_frame: CORRELATION,
            expected: 0,
        }
    }

    /// Refuses frames above `max_frame` bytes from now on.
    pub fn limit(&mut self, max_frame: usize) {
        self.max_frame = max_frame;
    }

    /// Allows room for a frame of this many bytes at once: the limit that our own request named.
    pub fn expect(&mut self, bytes: usize) {
        self.expected = bytes.min(self.max_frame);
    }

    /// Whether frames may be shorter than a correlation id, as the steps of SASL are that have no header.
    pub fn allow_empty(&mut self, yes: bool) {
        self.min_frame = if yes { 0 } else { CORRELATION };
    }

    /// Room for the next read; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        let want = self.room();
        if self.buffer.len() < self.filled + want.min(READ) {
            self.buffer.reserve(self.filled + want - self.buffer.len());
            self.buffer.resize(self.filled + want.min(ZEROED), 0);
        }
        &mut self.buffer[self.filled..]
    }

    /// Takes note of `n` bytes that were read into [`Frames::space`].
    pub fn filled(&mut self, n: usize) {
        self.filled = (self.filled + n).min(self.buffer.len());
    }

    /// Appends bytes that were read elsewhere: into the same room as a read has, only that nobody needs it zeroed, so that
    /// what a peer announces and does not send takes no memory, though it may take addresses.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.truncate(self.filled);
        if self.buffer.capacity() - self.filled < bytes.len() {
            self.buffer.reserve(self.room().max(bytes.len()));
        }
        self.buffer.extend_from_slice(bytes);
        self.filled = self.buffer.len();
    }

    /// The next whole frame, without its length.
    pub fn poll_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(length) = self.declared()? else {
            return Ok(None);
        };
        if self.filled < 4 + length {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(4 + length).freeze();
        self.filled -= 4 + length;
        frame.advance(4);
        Ok(Some(frame))
    }

    /// Whether part of a frame has arrived.
    pub fn is_mid_frame(&self) -> bool {
        self.filled > 0
    }

    /// The length of the frame that has begun, checked.
    fn declared(&self) -> Result<Option<usize>, FrameError> {
        let Some(first) = self.buffer[..self.filled].first_chunk::<4>() else {
            return Ok(None);
        };
        let length = i32::from_be_bytes(*first);
        match usize::try_from(length) {
            Ok(n) if (self.min_frame..=self.max_frame).contains(&n) => Ok(Some(n)),
            _ => Err(FrameError {
                length,
                max: self.max_frame,
                first: *first,
            }),
        }
    }

    /// How much room the next read gets.
    fn room(&self) -> usize {
        match self.declared() {
            Ok(Some(length)) if 4 + length > self.filled => {
                let missing = 4 + length - self.filled;
                let allowed = READ
                    .max(self.filled)
                    .max(self.expected.saturating_sub(self.filled));
                // a read a little beyond the frame brings the start of the next one for free
                missing.min(allowed).max(READ)
            }
            _ => READ,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(frames: &mut Frames, bytes: &[u8], step: usize) -> Vec<Bytes> {
        let mut out = Vec::new();
        for chunk in bytes.chunks(step) {
            let mut chunk = chunk;
            while !chunk.is_empty() {
                let space = frames.space();
                let n = space.len().min(chunk.len());
                space[..n].copy_from_slice(&chunk[..n]);
                frames.filled(n);
                chunk = &chunk[n..];
                while let Some(frame) = frames.poll_frame().expect("good frames") {
                    out.push(frame);
                }
            }
        }
        out
    }

    #[test]
    fn frames_come_out_whole_whatever_the_reads() {
        let mut stream = Vec::new();
        for n in [4usize, 5, 100, 70_000, 4, 300_000] {
            stream.extend_from_slice(&(n as i32).to_be_bytes());
            stream.extend((0..n).map(|i| (i % 251) as u8));
        }
        for step in [1, 3, 4, 1000, 65_536, stream.len()] {
            let frames = feed(&mut Frames::new(1 << 20), &stream, step);
            assert_eq!(
                frames.iter().map(Bytes::len).collect::<Vec<_>>(),
                [4, 5, 100, 70_000, 4, 300_000]
            );
            assert!(
                frames
                    .iter()
                    .all(|f| f.iter().enumerate().all(|(i, b)| *b == (i % 251) as u8))
            );
        }
    }

    #[test]
    fn what_was_read_elsewhere_is_as_good_and_gets_no_more_room() {
        let mut stream = Vec::new();
        for n in [4usize, 100, 70_000, 300_000, 5] {
            stream.extend_from_slice(&(n as i32).to_be_bytes());
            stream.extend((0..n).map(|i| (i % 251) as u8));
        }
        for step in [1, 3, 1000, 16_384, stream.len()] {
            let mut frames = Frames::new(1 << 20);
            let mut lengths = Vec::new();
            for (i, chunk) in stream.chunks(step).enumerate() {
                match i % 3 {
                    0 if frames.space().len() >= chunk.len() => {
                        frames.space()[..chunk.len()].copy_from_slice(chunk);
                        frames.filled(chunk.len());
                    }
                    _ => frames.extend(chunk),
                }
                while let Some(frame) = frames.poll_frame().expect("good frames") {
                    assert!(frame.iter().enumerate().all(|(i, b)| *b == (i % 251) as u8));
                    lengths.push(frame.len());
                }
            }
            assert_eq!(lengths, [4, 100, 70_000, 300_000, 5], "in steps of {step}");
        }
        let mut frames = Frames::new(1 << 30);
        frames.extend(&(1i32 << 29).to_be_bytes());
        let mut arrived = 4;
        while arrived < 1 << 20 {
            frames.extend(&[0; 16 << 10]);
            arrived += 16 << 10;
            let room = frames.buffer.capacity();
            assert!(room <= 2 * READ.max(arrived), "{room} for {arrived}");
        }
        // but what our own request allowed comes at once
        let mut frames = Frames::new(1 << 30);
        frames.expect(8 << 20);
        frames.extend(&(6i32 << 20).to_be_bytes());
        let mut rooms = Vec::new();
        for _ in 0..384 {
            frames.extend(&[0; 16 << 10]);
            rooms.push(frames.buffer.capacity());
        }
        assert!(frames.poll_frame().expect("a good frame").is_some());
        rooms.dedup();
        assert_eq!(rooms.len(), 2, "it moved at {rooms:?}");
    }

    #[test]
    fn a_length_that_lies_is_refused_and_allocates_nothing() {
        for length in [-1, 0, 3, i32::MIN, (1 << 20) + 1, i32::MAX] {
            let mut frames = Frames::new(1 << 20);
            frames.space()[..4].copy_from_slice(&length.to_be_bytes());
            frames.filled(4);
            let error = frames.poll_frame().expect_err("refused");
            assert_eq!(error.first_bytes(), length.to_be_bytes());
            assert!(frames.space().len() <= READ);
        }
    }

    #[test]
    fn room_grows_with_what_arrived_not_with_what_was_declared() {
        let mut frames = Frames::new(1 << 30);
        frames.space()[..4].copy_from_slice(&(1i32 << 29).to_be_bytes());
        let mut arrived = 4;
        frames.filled(4);
        for _ in 0..6 {
            let space = frames.space().len();
            assert!(space <= READ.max(arrived), "{space} for {arrived}");
            frames.filled(space);
            arrived += space;
            assert_eq!(frames.poll_frame(), Ok(None));
        }
    }

    #[test]
    fn what_was_expected_stays_where_it_is_and_is_zeroed_as_it_comes() {
        let mut frames = Frames::new(1 << 30);
        frames.expect(8 << 20);
        frames.space()[..4].copy_from_slice(&((8i32 << 20) - 4).to_be_bytes());
        frames.filled(4);
        let (mut arrived, mut memory) = (4, None);
        while arrived < 8 << 20 {
            let space = frames.space().len();
            assert!((1..=ZEROED).contains(&space), "{space} for {arrived}");
            let at = frames.buffer.as_ptr();
            assert_eq!(*memory.get_or_insert(at), at, "it moved after {arrived}");
            let n = space.min((8 << 20) - arrived);
            frames.filled(n);
            arrived += n;
        }
    }
}
