//! Splits a stream of bytes into request frames.

use bytes::{Bytes, BytesMut};

/// The read side of one connection: bytes in, frames out, nothing copied but what is left of an unfinished frame.
///
/// What [`Server`](crate::server::Server) and byte-wise simulations put before
/// [`Cluster::handle_request`](super::Cluster::handle_request).
#[derive(Debug)]
pub struct Frames {
    /// Initialised throughout; the first `filled` bytes came from the peer.
    buffer: BytesMut,
    filled: usize,
    chunk: usize,
}

/// A length that no request has: the peer does not speak Kafka.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotKafka(pub i32);

impl std::fmt::Display for NotKafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is not the length of a request", self.0)
    }
}

impl std::error::Error for NotKafka {}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

impl Frames {
    /// The longest request: `socket.request.max.bytes`, 100 MiB.
    pub const MAX: i32 = 100 * 1024 * 1024;

    const FIRST_CHUNK: usize = 16 * 1024;
    const LAST_CHUNK: usize = 1024 * 1024;

    /// A reader that has seen nothing.
    pub fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            filled: 0,
            chunk: Self::FIRST_CHUNK,
        }
    }

    /// Room for what comes next, never empty. It grows with what has come, never with what a length promises.
    pub fn space(&mut self) -> &mut [u8] {
        // at least a quarter of a chunk, so that reads stay large
        if self.buffer.len() - self.filled < self.chunk / 4 {
            let size = self.chunk.max(2 * self.filled);
            let mut buffer = BytesMut::zeroed(size);
            buffer[..self.filled].copy_from_slice(&self.buffer[..self.filled]);
            self.buffer = buffer;
        }
        &mut self.buffer[self.filled..]
    }

    /// Notes that `n` bytes were put into [`space`](Self::space).
    pub fn filled(&mut self, n: usize) {
        self.filled = (self.filled + n).min(self.buffer.len());
        // a peer that fills all there is sends in bulk
        if self.filled == self.buffer.len() {
            self.chunk = (2 * self.chunk).min(Self::LAST_CHUNK);
        }
    }

    /// Puts bytes in: [`space`](Self::space) and [`filled`](Self::filled) in one.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let n = space.len().min(bytes.len());
            space[..n].copy_from_slice(&bytes[..n]);
            self.filled(n);
            bytes = &bytes[n..];
        }
    }

    /// The next frame, without its length. After an error the stream has no more frames.
    pub fn poll_frame(&mut self) -> Result<Option<Bytes>, NotKafka> {
        let Some(prefix) = self.buffer[..self.filled].first_chunk::<4>() else {
            return Ok(None);
        };
        let length = i32::from_be_bytes(*prefix);
        if !(0..=Self::MAX).contains(&length) {
            return Err(NotKafka(length));
        }
        let end = 4 + length as usize;
        if end > self.filled {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(end);
        self.filled -= end;
        let frame = frame.split_off(4);
        Ok(Some(frame.freeze()))
    }

    /// Whether the stream may end here: no frame has begun.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }
}
