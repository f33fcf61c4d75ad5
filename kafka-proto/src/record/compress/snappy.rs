//! snappy (code 2): Java's `xerial` frames written, these and raw blocks read.
//!
//! A frame: eight bytes of magic, two versions of 32 bits, then chunks of a length (32 bits, big endian) and a raw block
//! each. Other clients write one raw block without a frame. Frames may follow each other.

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::{CodecError, CodecWorker, CompressionCodec};

/// snappy, code 2. Source: acceptance CP-05.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Snappy;

impl CompressionCodec for Snappy {
    fn code(&self) -> i8 {
        2
    }

    fn encode(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        encode(&mut Encoder::new(), plain, out)
    }

    fn decode(&self, data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
        decode(data, limit, out)
    }

    fn worker(&self) -> Option<Box<dyn CodecWorker>> {
        Some(Box::new(SnappyWorker(Encoder::new())))
    }
}

struct SnappyWorker(Encoder);

impl CodecWorker for SnappyWorker {
    fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        encode(&mut self.0, plain, out)
    }

    fn decode(&mut self, data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
        decode(data, limit, out)
    }
}

const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
/// Magic, version 1, compatible with 1.
const HEADER: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// What Java puts in a chunk.
const BLOCK: usize = 32 << 10;
/// A copy of three bytes gives 64.
const BEST_RATIO: usize = 22;

fn corrupt(what: &'static str) -> CodecError {
    CodecError::Corrupt(what)
}

fn cut_short() -> CodecError {
    corrupt("snappy: cut short")
}

fn encode(encoder: &mut Encoder, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    out.reserve(HEADER.len() + plain.len() / 2 + 64);
    out.extend_from_slice(&HEADER);
    for block in plain.chunks(BLOCK) {
        let at = out.len();
        out.resize(at + 4 + max_compress_len(block.len()), 0);
        let size = encoder
            .compress(block, &mut out[at + 4..])
            .map_err(|_| CodecError::Encode("snappy"))?;
        out[at..at + 4].copy_from_slice(&(size as u32).to_be_bytes());
        out.truncate(at + 4 + size);
    }
    Ok(())
}

fn decode(data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let start = out.len();
    let left = |out: &Vec<u8>| limit - (out.len() - start);
    if !data.starts_with(&MAGIC) {
        return block(data, limit, limit, out);
    }
    let mut rest = data.get(HEADER.len()..).ok_or_else(cut_short)?;
    while !rest.is_empty() {
        if rest.starts_with(&MAGIC) {
            rest = rest.get(HEADER.len()..).ok_or_else(cut_short)?;
            continue;
        }
        let (size, after) = rest.split_first_chunk().ok_or_else(cut_short)?;
        let size = usize::try_from(u32::from_be_bytes(*size)).unwrap_or(usize::MAX);
        let chunk = after.get(..size).ok_or_else(cut_short)?;
        block(chunk, left(out), limit, out)?;
        rest = &after[size..];
    }
    Ok(())
}

/// Decompresses one raw block to at most `left` bytes.
fn block(data: &[u8], left: usize, limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let size = decompress_len(data).map_err(|_| corrupt("snappy: no length"))?;
    if data.is_empty() || size / BEST_RATIO > data.len() {
        return Err(corrupt("snappy: a length that the block cannot hold"));
    }
    if size > left {
        return Err(CodecError::TooLarge { limit });
    }
    let at = out.len();
    out.resize(at + size, 0);
    let done = Decoder::new().decompress(data, &mut out[at..]);
    match done {
        Ok(n) if n == size => Ok(()),
        _ => Err(corrupt("snappy: not a snappy block")),
    }
}
