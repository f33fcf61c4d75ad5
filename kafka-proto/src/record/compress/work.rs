//! What compresses and decompresses batch after batch, and keeps its tables.

use std::fmt;

use bytes::Bytes;

use super::{CodecError, CodecWorker, Codecs, Compression, mend_header_checksum};

/// Compresses bodies, one after the other, with one codec.
///
/// It keeps the tables of the codec, which are larger than most batches: 270 KiB for gzip.
pub struct Compressor {
    codecs: Codecs,
    compression: Compression,
    bench: Bench,
}

impl Compressor {
    /// A compressor; memory is taken at first use.
    pub fn new(codecs: Codecs, compression: Compression) -> Self {
        Self {
            codecs,
            compression,
            bench: Bench::default(),
        }
    }

    /// What it compresses with: its [`attributes`](Compression::attributes) belong in the header.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Compresses the body of one batch; copies it for [`Compression::None`].
    ///
    /// # Errors
    ///
    /// There is no such codec, or it cannot take this body.
    pub fn compress(&mut self, body: &[u8]) -> Result<Bytes, CodecError> {
        if self.compression == Compression::None {
            return Ok(Bytes::copy_from_slice(body));
        }
        let code = self.compression.code();
        let codec = self.codecs.codec(code)?;
        self.bench.scratch.clear();
        match self.bench.worker(code, codec) {
            (Some(worker), scratch) => worker.encode(body, scratch)?,
            (None, scratch) => codec.encode(body, scratch)?,
        }
        Ok(self.bench.take())
    }
}

/// Decompresses bodies, one after the other, each to at most a limit.
pub struct Decompressor {
    codecs: Codecs,
    limit: usize,
    bench: Bench,
}

impl Decompressor {
    /// What one batch may decompress to unless told otherwise: 64 MiB.
    ///
    /// The largest batch that a broker takes by default is 1 MiB (`message.max.bytes`), compressed; most data gives 2 to 10
    /// times that. Hostile data gives a thousand times with gzip and thirty thousand times with zstd.
    pub const DEFAULT_LIMIT: usize = 64 << 20;

    /// A decompressor; memory is taken at first use.
    pub fn new(codecs: Codecs, limit: usize) -> Self {
        Self {
            codecs,
            limit,
            bench: Bench::default(),
        }
    }

    /// The most bytes that one body may decompress to.
    pub fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(crate) fn set_codecs(&mut self, codecs: Codecs) {
        self.codecs = codecs;
        self.bench = Bench::default();
    }

    /// Decompresses one body; copies it for [`Compression::None`].
    ///
    /// # Errors
    ///
    /// There is no such codec, or the data is damaged or larger than the limit.
    pub fn decompress(
        &mut self,
        compression: Compression,
        data: &[u8],
    ) -> Result<Bytes, CodecError> {
        let too_large = CodecError::TooLarge { limit: self.limit };
        if compression == Compression::None {
            return match data.len() <= self.limit {
                true => Ok(Bytes::copy_from_slice(data)),
                false => Err(too_large),
            };
        }
        let code = compression.code();
        let codec = self.codecs.codec(code)?;
        self.bench.scratch.clear();
        match self.bench.worker(code, codec) {
            (Some(worker), scratch) => worker.decode(data, self.limit, scratch)?,
            (None, scratch) => codec.decode(data, self.limit, scratch)?,
        }
        // a codec of the user's may not look
        if self.bench.scratch.len() > self.limit {
            return Err(too_large);
        }
        Ok(self.bench.take())
    }

    /// Decompresses what stands in a batch or wrapper message of `magic`.
    ///
    /// It differs from [`Decompressor::decompress`] for old formats alone: lz4 frames have a wrong header checksum in magic 0
    /// (KIP-57), and zstd is not there before magic 2.
    ///
    /// # Errors
    ///
    /// As [`Decompressor::decompress`].
    pub fn decompress_in(
        &mut self,
        magic: i8,
        compression: Compression,
        data: &[u8],
    ) -> Result<Bytes, CodecError> {
        match compression {
            Compression::Zstd if magic < 2 => Err(CodecError::NeedsMagic2(compression)),
            Compression::Lz4 if magic == 0 => {
                let mut data = data.to_vec();
                mend_header_checksum(&mut data);
                self.decompress(compression, &data)
            }
            compression => self.decompress(compression, data),
        }
    }
}

impl Default for Decompressor {
    fn default() -> Self {
        Self::new(Codecs::new(), Self::DEFAULT_LIMIT)
    }
}

/// What is kept between calls.
#[derive(Default)]
struct Bench {
    worker: Option<(i8, Option<Box<dyn CodecWorker>>)>,
    scratch: Vec<u8>,
}

impl Bench {
    fn worker(
        &mut self,
        code: i8,
        codec: &dyn super::CompressionCodec,
    ) -> (Option<&mut (dyn CodecWorker + 'static)>, &mut Vec<u8>) {
        let kept = self.worker.take_if(|(of, _)| *of == code);
        let kept = kept.unwrap_or_else(|| (code, codec.worker()));
        let (_, worker) = self.worker.insert(kept);
        (worker.as_deref_mut(), &mut self.scratch)
    }

    /// What was written to the scratch buffer, without the memory that it did not need.
    fn take(&mut self) -> Bytes {
        // a message keeps the memory of its batch: room for 128 KiB under 300 bytes would add up
        if self.scratch.len() >= self.scratch.capacity() / 2 {
            Bytes::from(std::mem::take(&mut self.scratch))
        } else {
            Bytes::copy_from_slice(&self.scratch)
        }
    }
}

/// Gives one with the same settings and nothing kept.
impl Clone for Compressor {
    fn clone(&self) -> Self {
        Self::new(self.codecs.clone(), self.compression)
    }
}

/// Gives one with the same settings and nothing kept.
impl Clone for Decompressor {
    fn clone(&self) -> Self {
        Self::new(self.codecs.clone(), self.limit)
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("codecs", &self.codecs)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor")
            .field("codecs", &self.codecs)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
