//! gzip (code 1): one member written, one or more read.

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};

use super::{CodecError, CodecWorker, CompressionCodec};

/// gzip, code 1. Source: acceptance CP-05; levels as in KIP-390.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[doc(alias = "NewCompressionCodecWith")]
pub struct Gzip {
    level: u32,
}

/// What Java writes by default.
pub(super) const DEFAULT: Gzip = Gzip { level: 6 };

impl Gzip {
    /// gzip at `level`, clamped to 1 (fast) to 9 (small).
    pub fn new(level: i32) -> Self {
        let level = level.clamp(1, 9) as u32;
        Self { level }
    }

    fn make_worker(self) -> GzipWorker {
        GzipWorker {
            level: self.level,
            deflate: None,
            inflate: None,
        }
    }
}

impl Default for Gzip {
    /// Level 6.
    fn default() -> Self {
        DEFAULT
    }
}

impl CompressionCodec for Gzip {
    fn code(&self) -> i8 {
        1
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

struct GzipWorker {
    level: u32,
    deflate: Option<Compress>,
    inflate: Option<Decompress>,
}

/// The window of the format, in bits.
const WINDOW: u8 = 15;

impl CodecWorker for GzipWorker {
    fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        let level = flate2::Compression::new(self.level);
        let deflate = self
            .deflate
            .get_or_insert_with(|| Compress::new_gzip(level, WINDOW));
        deflate.reset();
        // most bodies shrink to less than half
        out.reserve(plain.len() / 2 + 64);
        loop {
            let done = deflate.total_in() as usize;
            let status = deflate.compress_vec(&plain[done..], out, FlushCompress::Finish);
            match status {
                Ok(Status::StreamEnd) => return Ok(()),
                Ok(_) => out.reserve(plain.len() / 4 + 64),
                Err(_) => return Err(CodecError::Encode("gzip")),
            }
        }
    }

    fn decode(&mut self, data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let start = out.len();
        let inflate = self
            .inflate
            .get_or_insert_with(|| Decompress::new_gzip(WINDOW));
        let mut rest = data;
        loop {
            // the flag is about zlib headers in place of none; the gzip wrapper stays
            inflate.reset(true);
            let used = member(inflate, rest, start, limit, out)?;
            rest = &rest[used..];
            // what is no member is left alone, as Java and gzip itself do
            if !rest.starts_with(&[0x1f, 0x8b]) {
                return Ok(());
            }
        }
    }
}

/// Inflates one member and returns its size.
fn member(
    inflate: &mut Decompress,
    data: &[u8],
    start: usize,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<usize, CodecError> {
    let corrupt = CodecError::Corrupt;
    loop {
        let (used, produced) = (inflate.total_in() as usize, out.len() - start);
        if out.capacity() == out.len() {
            // one byte beyond the limit tells that there is more
            let most = limit.saturating_sub(produced).saturating_add(1);
            let grow = (data.len() * 3).max(produced).max(512);
            out.reserve_exact(grow.min(most));
        }
        let length = out.len();
        let status = inflate
            .decompress_vec(&data[used..], out, FlushDecompress::None)
            .map_err(|_| corrupt("gzip: not a deflate stream, or its checksum is wrong"))?;
        if out.len() - start > limit {
            return Err(CodecError::TooLarge { limit });
        }
        let used_now = inflate.total_in() as usize;
        if status == Status::StreamEnd {
            return Ok(used_now);
        }
        if used_now == used && out.len() == length && out.capacity() > length {
            return Err(corrupt("gzip: cut short"));
        }
    }
}
