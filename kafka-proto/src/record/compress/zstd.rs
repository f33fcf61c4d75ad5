//! zstd (code 4): one frame written, one or more read.

use zrip::{
    CompressContext, DecompressContext, DecompressError, compress_bound,
    frame::header::parse_frame_header,
};

use super::{CodecError, CodecWorker, CompressionCodec};

/// zstd, code 4. Source: KIP-110; levels as in KIP-390.
///
/// Levels above 4 of the C library count as 4 unless the crate is built with the feature `zstd-c`: what they would save is 5
/// to 10 %, at a fraction of the speed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Zstd {
    level: i32,
}

/// What Java writes by default.
pub(super) const DEFAULT: Zstd = Zstd { level: 3 };

impl Zstd {
    /// zstd at `level`, clamped to -7 (fast) to 4 (small), or to 22 with the feature `zstd-c`.
    pub fn new(level: i32) -> Self {
        let most = if cfg!(feature = "zstd-c") { 22 } else { PURE };
        let level = level.clamp(-7, most);
        Self { level }
    }

    fn make_worker(self) -> ZstdWorker {
        ZstdWorker {
            level: self.level,
            encoder: None,
            decoder: None,
            #[cfg(feature = "zstd-c")]
            small: None,
        }
    }
}

impl Default for Zstd {
    /// Level 3.
    fn default() -> Self {
        DEFAULT
    }
}

impl CompressionCodec for Zstd {
    fn code(&self) -> i8 {
        4
    }

    fn encode(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.make_worker().encode(plain, out)
    }

    fn decode(&self, data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.make_worker().decode(data, limit, out)
    }

    fn worker(&self) -> Option<Box<dyn CodecWorker>> {
        Some(Box::new(self.make_worker()))
    }
}

/// The highest level in pure Rust.
const PURE: i32 = 4;

struct ZstdWorker {
    level: i32,
    encoder: Option<CompressContext>,
    decoder: Option<DecompressContext>,
    /// What compresses above [`PURE`].
    #[cfg(feature = "zstd-c")]
    small: Option<zstd_c::bulk::Compressor<'static>>,
}

/// Compresses at a level above [`PURE`].
#[cfg(feature = "zstd-c")]
impl ZstdWorker {
    fn encode_small(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        let failed = CodecError::Encode("zstd");
        let encoder = match &mut self.small {
            Some(encoder) => encoder,
            // by default without a checksum, which the batch has
            none => none.insert(zstd_c::bulk::Compressor::new(self.level).map_err(|_| failed)?),
        };
        let at = out.len();
        out.resize(at + compress_bound(plain.len()), 0);
        let size = encoder.compress_to_buffer(plain, &mut out[at..]);
        out.truncate(at + size.map_err(|_| failed)?);
        Ok(())
    }
}

impl CodecWorker for ZstdWorker {
    fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        #[cfg(feature = "zstd-c")]
        if self.level > PURE {
            return self.encode_small(plain, out);
        }
        let failed = CodecError::Encode("zstd");
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => {
                let mut new = CompressContext::new(self.level).map_err(|_| failed)?;
                // the batch has a checksum of its own
                new.set_content_checksum(false);
                none.insert(new)
            }
        };
        let at = out.len();
        out.resize(at + compress_bound(plain.len()), 0);
        let size = encoder
            .compress_into(plain, &mut out[at..])
            .map_err(|_| failed)?;
        out.truncate(at + size);
        Ok(())
    }

    fn decode(&mut self, data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let start = out.len();
        let most = bound(data, limit)?;
        let decoder = self.decoder.get_or_insert_default();
        // streams do not say their size; growing step by step would copy what is there and double the peak
        let likely = most
            .min(limit.saturating_add(2 * BLOCK))
            .min(data.len().saturating_mul(32));
        out.reserve(likely.saturating_add(SLACK));
        // near its limit the decoder takes what does not fit for damage: a block more keeps the two apart
        let done = decoder.decompress_into_with_limit(data, out, limit.saturating_add(BLOCK));
        if out.len() - start > limit {
            return Err(CodecError::TooLarge { limit });
        }
        match done {
            Ok(_) => Ok(()),
            Err(DecompressError::OutputTooSmall) => Err(CodecError::TooLarge { limit }),
            Err(DecompressError::ChecksumMismatch { .. }) => {
                Err(corrupt("zstd: wrong content checksum"))
            }
            Err(DecompressError::DictRequired | DecompressError::DictMismatch { .. }) => {
                Err(corrupt("zstd: it needs a dictionary"))
            }
            Err(_) => Err(corrupt("zstd: not a zstd frame, or cut short")),
        }
    }
}

/// What the decoder wants behind its output.
const SLACK: usize = 64;

/// What a block decompresses to at most.
const BLOCK: usize = 128 << 10;

fn corrupt(what: &'static str) -> CodecError {
    CodecError::Corrupt(what)
}

/// Walks over the headers of frames and blocks: the most bytes that these can give.
///
/// A frame that declares more than its blocks can hold is refused here, before anything is allocated by it.
fn bound(data: &[u8], limit: usize) -> Result<usize, CodecError> {
    let short = corrupt("zstd: cut short");
    if data.is_empty() {
        return Err(short);
    }
    let (mut rest, mut total) = (data, 0usize);
    while !rest.is_empty() {
        if let Some((head, after)) = rest.split_first_chunk::<8>()
            && head[0] & 0xf0 == 0x50
            && head[1..4] == [0x2a, 0x4d, 0x18]
        {
            let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            rest = after.get(size..).ok_or(short)?;
            continue;
        }
        let frame = parse_frame_header(rest).map_err(|_| corrupt("zstd: not a frame"))?;
        rest = rest.get(frame.header_size..).ok_or(short)?;
        let mut holds = 0usize;
        loop {
            let (head, after) = rest.split_first_chunk::<3>().ok_or(short)?;
            let head = u32::from_le_bytes([head[0], head[1], head[2], 0]);
            let (last, kind, size) = (head & 1 != 0, head >> 1 & 3, (head >> 3) as usize);
            let (takes, gives) = match kind {
                0 => (size, size),
                1 => (1, size),
                _ => (size, BLOCK),
            };
            holds = holds.saturating_add(gives);
            rest = after.get(takes..).ok_or(short)?;
            if last {
                break;
            }
        }
        match frame.frame_content_size {
            Some(size) if size > holds as u64 => {
                return Err(corrupt("zstd: a content size that the blocks cannot hold"));
            }
            Some(size) if size > limit as u64 => return Err(CodecError::TooLarge { limit }),
            Some(size) => total = total.saturating_add(size as usize),
            None => total = total.saturating_add(holds),
        }
        if frame.content_checksum {
            rest = rest.get(4..).ok_or(short)?;
        }
    }
    Ok(total)
}
