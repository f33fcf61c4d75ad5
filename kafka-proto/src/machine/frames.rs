//! Splits what a socket gives into frames, without copying them.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// Bytes that a read should have room for.
const READ: usize = 64 << 10;
/// Room that is zeroed at once: it is still in the cache when a read fills it, and what never comes takes no memory.
const ZEROED: usize = 256 << 10;
/// Room for what stands around the records of an answer: names, numbers of partitions, aborted transactions.
const AROUND: usize = 64 << 10;
/// The shortest frame whose memory is used again: a shorter one fits into what any read has room for. What has come behind
/// a large frame and is not more is copied, so that the frame has its memory alone.
const LARGE: usize = READ;
/// Frames that are out at a time and whose memory shall come back, in number and in bytes: what is kept while nothing is read.
/// Where more are out, the oldest are given up, which may be held for good.
const LENT: usize = 16;
const LENT_BYTES: usize = 32 << 20;
/// Bytes of a correlation id.
const CORRELATION: usize = 4;

/// The read buffer of one connection.
///
/// Never sized by what a peer declares: new memory is at most the larger of 64 KiB and twice what has arrived of a frame, or
/// at once what our own request allowed ([`Frames::expect`]).
///
/// The memory of a large frame is used again once nobody holds a part of it, which spares zeroing it and having the system
/// find its pages. When room is made, the largest that is free is taken for it, and what else is free goes. A small frame with
/// nothing behind it lets all go.
#[derive(Debug)]
pub struct Frames {
    /// Filled bytes first, then zeroed room.
    buffer: BytesMut,
    filled: usize,
    max_frame: usize,
    /// The shortest frame: a response has at least its correlation id.
    min_frame: usize,
    expected: usize,
    /// The memory of large frames that were handed out, oldest first.
    lent: VecDeque<Bytes>,
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
            lent: VecDeque::new(),
        }
    }

    /// Refuses frames above `max_frame` bytes from now on.
    pub fn limit(&mut self, max_frame: usize) {
        self.max_frame = max_frame;
    }

    /// Allows room at once for a frame with this many bytes of records, the limit that our own request named, and for what
    /// stands around them; 0: for none.
    pub fn expect(&mut self, bytes: usize) {
        let around = if bytes == 0 { 0 } else { AROUND };
        self.expected = (bytes.saturating_add(around)).min(self.max_frame.saturating_add(4));
    }

    /// Whether frames may be shorter than a correlation id, as the steps of SASL are that have no header.
    pub fn allow_empty(&mut self, yes: bool) {
        self.min_frame = if yes { 0 } else { CORRELATION };
    }

    /// Room for the next read; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        let (want, least) = self.room();
        if self.buffer.len() < self.filled + want.min(READ) {
            if self.buffer.capacity() < self.filled + least {
                self.make_room(want);
            }
            let ready = (self.filled + want.min(ZEROED)).min(self.buffer.capacity());
            if self.buffer.len() < ready {
                self.buffer.resize(ready, 0);
            }
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
            self.make_room(self.room().0.max(bytes.len()));
            self.buffer.truncate(self.filled);
        }
        self.buffer.extend_from_slice(bytes);
        self.filled = self.buffer.len();
    }

    /// The next whole frame, without its length.
    pub fn poll_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(length) = self.declared()? else {
            return Ok(None);
        };
        let end = 4 + length;
        if self.filled < end {
            return Ok(None);
        }
        let rest = self.filled - end;
        let mut frame = match end >= LARGE && rest <= LARGE {
            true => self.lend(end),
            false => self.buffer.split_to(end).freeze(),
        };
        self.filled = rest;
        let keeps = !self.lent.is_empty() || self.buffer.capacity() > 2 * READ;
        if keeps && end < LARGE {
            self.let_go();
        }
        frame.advance(4);
        Ok(Some(frame))
    }

    /// Takes out a large frame with the whole of its memory, which shall come back.
    fn lend(&mut self, end: usize) -> Bytes {
        let rest = BytesMut::from(&self.buffer[end..self.filled]);
        // all that is zeroed, be it beyond the frame
        let memory = std::mem::replace(&mut self.buffer, rest).freeze();
        let frame = memory.slice(..end);
        self.lent.push_back(memory);
        let bytes = |lent: &VecDeque<Bytes>| lent.iter().map(Bytes::len).sum::<usize>();
        while self.lent.len() > LENT || bytes(&self.lent) > LENT_BYTES {
            self.lent.pop_front();
        }
        frame
    }

    /// Lets memory for large frames go: that of this buffer, too, once nothing is in it.
    #[cold]
    fn let_go(&mut self) {
        self.lent.clear();
        if self.filled == 0 {
            self.buffer = BytesMut::new();
        }
    }

    /// Makes room for `want` bytes behind what is filled, in memory that is free again where that is enough.
    fn make_room(&mut self, want: usize) {
        let size = self.filled + want;
        if self.buffer.capacity() >= size {
            return;
        }
        let free = self.lent.iter().enumerate().filter(|(_, m)| m.is_unique());
        let largest = free.max_by_key(|(_, memory)| memory.len());
        let largest = largest.map(|(at, _)| at);
        let memory = largest.and_then(|at| self.lent.remove(at));
        // what is free beside it goes
        self.lent.retain(|memory| !memory.is_unique());
        match memory.map(BytesMut::from) {
            Some(mut memory) if memory.capacity() >= size => {
                if memory.len() < self.filled {
                    memory.resize(self.filled, 0);
                }
                memory[..self.filled].copy_from_slice(&self.buffer[..self.filled]);
                self.buffer = memory;
            }
            _ => self.buffer.reserve(size - self.buffer.len()),
        }
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

    /// How much room the next read gets, and how much it needs: what is missing of a frame comes before anything moves.
    fn room(&self) -> (usize, usize) {
        match self.declared() {
            Ok(Some(length)) if 4 + length > self.filled => {
                let missing = 4 + length - self.filled;
                let allowed = READ
                    .max(self.filled)
                    .max(self.expected.saturating_sub(self.filled));
                // where there is room, a read beyond the frame brings the start of the next one for free
                (missing.min(allowed).max(READ), missing.min(READ))
            }
            _ => (READ, READ),
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

    /// A frame of `n` bytes with its length, all of them `fill`.
    fn frame_of(n: usize, fill: u8) -> Vec<u8> {
        let mut frame = (n as i32).to_be_bytes().to_vec();
        frame.resize(4 + n, fill);
        frame
    }

    fn only(frames: &mut Frames, bytes: &[u8]) -> Bytes {
        let mut all = feed(frames, bytes, bytes.len());
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    #[test]
    fn memory_is_used_again_once_nobody_holds_a_part_of_it() {
        let mut frames = Frames::new(1 << 30);
        frames.expect(1 << 20);
        let first = only(&mut frames, &frame_of(1 << 20, 1));
        let kept = first.slice(1000..1010);
        let memory = first.as_ptr();
        drop(first);
        let second = only(&mut frames, &frame_of(1 << 20, 2));
        assert_ne!(second.as_ptr(), memory, "ten bytes of it are held");
        assert_eq!(kept, [1; 10][..]);
        drop(kept);
        let third = only(&mut frames, &frame_of(300_000, 3));
        assert_eq!(third.as_ptr(), memory);
        assert!(second.iter().all(|b| *b == 2));
        drop(third);
        assert_eq!(frames.space().len(), 4 + (1 << 20), "more than the third");
        let fourth = only(&mut frames, &frame_of(1 << 20, 4));
        assert_eq!(fourth.as_ptr(), memory);
        // one is enough: the other goes
        drop((second, fourth));
        let fifth = only(&mut frames, &frame_of(1 << 20, 5));
        assert_eq!((frames.lent.len(), fifth.len()), (1, 1 << 20));
        drop(fifth);
        only(&mut frames, &frame_of(100, 6));
        assert!(frames.lent.is_empty() && frames.buffer.capacity() <= 2 * READ);
    }

    #[test]
    fn what_is_kept_while_nothing_is_read_is_bounded() {
        let mut frames = Frames::new(1 << 30);
        for (count, size) in [(9, 8 << 20), (40, 70_000), (1, 40 << 20)] {
            frames.expect(size);
            let held: Vec<_> = (0..count)
                .map(|n| only(&mut frames, &frame_of(size, n)))
                .collect();
            drop(held);
            let kept: usize = frames.lent.iter().map(Bytes::len).sum();
            assert!(kept <= LENT_BYTES, "{kept} bytes of {count} x {size}");
            assert!(frames.lent.len() <= LENT);
        }
        assert!(frames.lent.is_empty(), "the last is too large to be kept");
    }

    #[test]
    fn frames_that_are_held_never_change_whatever_is_kept_and_dropped() {
        let mut random = crate::random::Random::new(7);
        let mut held: Vec<(Bytes, u8)> = Vec::new();
        let mut frames = Frames::new(1 << 20);
        let mut elsewhere = Frames::new(1 << 20);
        for round in 0..400u32 {
            let fill = round as u8;
            let mut stream = Vec::new();
            for _ in 0..=random.below(2) {
                let n = match random.below(4) {
                    0 => 4 + random.below(100),
                    1 => 65_000 + random.below(1_000),
                    _ => 65_536 + random.below(300_000),
                };
                stream.extend(frame_of(n as usize, fill));
            }
            frames.expect(random.below(400_000) as usize);
            let step = [1 + random.below(100_000) as usize, stream.len()][random.below(2) as usize];
            let mut out = feed(&mut frames, &stream, step);
            for chunk in stream.chunks(step) {
                elsewhere.extend(chunk);
                while let Some(frame) = elsewhere.poll_frame().expect("good frames") {
                    out.push(frame);
                }
            }
            held.extend(out.into_iter().map(|frame| (frame, fill)));
            while held.len() > 6 {
                held.swap_remove(random.below(held.len() as u64) as usize);
            }
            for (frame, fill) in &held {
                assert!(frame.iter().all(|b| b == fill), "in round {round}");
            }
            assert!(frames.lent.len() <= LENT && elsewhere.lent.len() <= LENT);
        }
    }

    /// An answer has a topic's name and the numbers of its partitions around the records that were asked for.
    #[test]
    fn what_stands_around_the_records_does_not_move_them() {
        // or nothing does, and the frame is as large as any may be
        for (max_frame, size) in [(1 << 30, (1 << 20) + 500), (1 << 20, 1 << 20)] {
            let mut frames = Frames::new(max_frame);
            frames.expect(1 << 20);
            let stream = frame_of(size, 7);
            let (mut at, mut places) = (0, Vec::new());
            while at < stream.len() {
                let space = frames.space();
                let n = space.len().min(10_000).min(stream.len() - at);
                space[..n].copy_from_slice(&stream[at..at + n]);
                places.push(frames.buffer.as_ptr());
                frames.filled(n);
                at += n;
            }
            places.dedup();
            assert_eq!(places.len(), 2, "before and after its length was read");
            assert!(frames.poll_frame().expect("a good frame").is_some());
        }
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
