//! One direction of a connection: pieces of the stream on their way.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

/// Bytes on their way from one end to the other, in order.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pieces: VecDeque<(Duration, Piece)>,
    /// Bytes in `pieces`.
    pub(super) pending: usize,
    /// When the last piece arrives: none overtakes another.
    last: Duration,
    /// What is sent vanishes, the end of the stream too.
    pub(super) silent: bool,
    /// The end is on its way: what is sent behind it vanishes.
    pub(super) ended: bool,
    /// Bytes that arrived.
    pub(super) arrived: u64,
    /// Bytes that were sent, those that vanished included.
    pub(super) sent: u64,
    /// The connection is cut when this many bytes have arrived and one more would.
    pub(super) cut_at: Option<u64>,
}

#[derive(Debug)]
pub(super) enum Piece {
    Bytes(Bytes),
    End(End),
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// The peer has closed its side.
    Closed,
    /// The connection is gone.
    Reset,
}

impl Pipe {
    pub(super) fn new(silent: bool, cut_at: Option<u64>) -> Self {
        Self {
            silent,
            cut_at,
            ..Self::default()
        }
    }

    /// Sends bytes that arrive at `at`, or behind what is on its way. Returns when; `None` if they vanish.
    pub(super) fn push(&mut self, bytes: Bytes, at: Duration) -> Option<Duration> {
        self.sent += bytes.len() as u64;
        if self.silent || self.ended {
            return None;
        }
        self.pending += bytes.len();
        Some(self.queue(Piece::Bytes(bytes), at))
    }

    /// Ends the stream behind what is on its way; only the first end counts.
    pub(super) fn end(&mut self, end: End, at: Duration) -> Option<Duration> {
        if std::mem::replace(&mut self.ended, true) || self.silent {
            return None;
        }
        Some(self.queue(Piece::End(end), at))
    }

    /// Breaks the stream: of what is on its way, only `keep` bytes arrive, then a reset. Returns when, and what is lost.
    pub(super) fn cut(&mut self, keep: usize, at: Duration) -> (Duration, usize) {
        let before = self.pending;
        let mut left = keep;
        let pieces = std::mem::take(&mut self.pieces);
        self.pending = 0;
        for (at, piece) in pieces {
            let Piece::Bytes(bytes) = piece else { break };
            let part = bytes.slice(..bytes.len().min(left));
            left -= part.len();
            if !part.is_empty() {
                self.pending += part.len();
                self.pieces.push_back((at, Piece::Bytes(part)));
            }
        }
        self.last = self.pieces.back().map_or(Duration::ZERO, |(at, _)| *at);
        self.ended = true;
        let at = self.queue(Piece::End(End::Reset), at);
        (at, before - self.pending)
    }

    /// What has arrived by `now`, piece by piece.
    pub(super) fn pop(&mut self, now: Duration) -> Option<Piece> {
        self.pieces.front().filter(|(at, _)| *at <= now)?;
        let (_, piece) = self.pieces.pop_front()?;
        if let Piece::Bytes(bytes) = &piece {
            self.pending -= bytes.len();
        }
        Some(piece)
    }

    /// The first `keep` bytes of what is on its way, at once.
    pub(super) fn hurry(&mut self, keep: usize) -> Vec<Bytes> {
        let mut left = keep;
        let mut out = Vec::new();
        while left > 0 {
            let Some((_, Piece::Bytes(bytes))) = self.pieces.front_mut() else {
                break;
            };
            let part = bytes.split_to(bytes.len().min(left));
            if bytes.is_empty() {
                self.pieces.pop_front();
            }
            left -= part.len();
            self.pending -= part.len();
            out.push(part);
        }
        out
    }

    fn queue(&mut self, piece: Piece, at: Duration) -> Duration {
        self.last = self.last.max(at);
        self.pieces.push_back((self.last, piece));
        self.last
    }
}
