//! Compression of record batches: the codecs of Kafka, and those that users register.
//!
//! A batch names its codec by three bits of its attributes. [`Codecs`] maps these to code: the four of Kafka are built in,
//! each behind a cargo feature of its name, and [`Codecs::register`] adds or replaces one. Nothing here is global.
//!
//! Decoding is bounded twice: by the limit that the caller gives, and by what the input can hold at the best ratio of its
//! format. A size that the data declares is never believed before that.

#[cfg(feature = "gzip")]
mod gzip;
mod lz4;
#[cfg(feature = "snappy")]
mod snappy;
mod work;
#[cfg(feature = "zstd")]
mod zstd;

use std::{fmt, str::FromStr, sync::Arc};

use thiserror::Error;

#[cfg(feature = "gzip")]
pub use gzip::Gzip;
#[cfg(feature = "lz4")]
pub use lz4::Lz4;
use lz4::break_header_checksum;
pub(super) use lz4::mend_header_checksum;
#[cfg(feature = "snappy")]
pub use snappy::Snappy;
pub use work::{Compressor, Decompressor};
#[cfg(feature = "zstd")]
pub use zstd::Zstd;

/// How the records of a batch are compressed.
///
/// ```
/// use kafka_proto::record::Compression;
///
/// let zstd: Compression = "zstd".parse()?;
/// assert_eq!((zstd, zstd.code()), (Compression::Zstd, 4));
/// # Ok::<(), kafka_proto::record::CodecError>(())
/// ```
///
/// Levels belong to the codec: see [`Codecs::with_level`]. Source: KIP-31, KIP-57, KIP-110, KIP-390; acceptance CP-05.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
#[doc(alias = "compression.type")]
pub enum Compression {
    /// Records as they are.
    #[default]
    None,
    /// Code 1: small and slow.
    Gzip,
    /// Code 2: fast, in frames of the Java library `xerial`.
    Snappy,
    /// Code 3: fastest.
    Lz4,
    /// Code 4: about as small as gzip at several times its speed. Batches of magic 2 only, brokers from 2.1 on.
    Zstd,
    /// A codec of your own, 5 to 7: brokers refuse these unless they have been taught.
    Other(i8),
}

impl Compression {
    /// The number in the attributes of a batch.
    pub fn code(self) -> i8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
            Self::Other(code) => code,
        }
    }

    /// The compression of this number; `None` beyond the three bits that a batch has for it.
    pub fn from_code(code: i8) -> Option<Self> {
        Some(match code {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            5..=7 => Self::Other(code),
            _ => return None,
        })
    }

    /// The bits to set in [`BatchHeader::attributes`](super::BatchHeader::attributes) of a batch whose body is compressed
    /// so.
    pub fn attributes(self) -> i16 {
        i16::from(self.code()) & super::BatchHeader::CODEC
    }
}

/// Shows the name that Kafka's setting `compression.type` has for it.
impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::Other(code) => return write!(f, "codec {code}"),
        })
    }
}

/// Reads the names of Kafka's setting `compression.type`.
impl FromStr for Compression {
    type Err = CodecError;

    fn from_str(name: &str) -> Result<Self, CodecError> {
        Ok(match name {
            "none" => Self::None,
            "gzip" => Self::Gzip,
            "snappy" => Self::Snappy,
            "lz4" => Self::Lz4,
            "zstd" => Self::Zstd,
            _ => return Err(CodecError::UnknownName),
        })
    }
}

/// Why data cannot be compressed or decompressed.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum CodecError {
    /// No codec of this number is registered, or the crate was built without it.
    #[error("unsupported compression codec {0}{hint}", hint = feature_hint(*.0))]
    Unsupported(i16),
    /// The data would be larger than the limit.
    #[error("decompresses to more than the limit of {limit} bytes")]
    TooLarge {
        /// The limit that the caller gave.
        limit: usize,
    },
    /// Not what the codec writes, or cut short; the text names codec and fault.
    // one text, so that errors stay smaller than records: iteration returns either
    #[error("damaged compressed data: {0}")]
    Corrupt(&'static str),
    /// The data cannot be compressed: it is too large for the codec, or the codec is broken.
    #[error("{0} failed to compress")]
    Encode(&'static str),
    /// A codec number that a batch has no room for: 1 to 7 are legal.
    #[error("codec number {0} is not within 1 to 7")]
    InvalidCode(i8),
    /// zstd came with magic 2 and has no place in older message formats (KIP-110).
    #[error("{0} needs record batches of magic 2, which brokers have from 0.11 on")]
    NeedsMagic2(Compression),
    /// A level for a codec that has none.
    #[error("{0} has no levels")]
    NoLevels(Compression),
    /// No compression of this name.
    #[error("unknown compression: one of none, gzip, snappy, lz4, zstd is expected")]
    UnknownName,
}

/// Says which cargo feature would help.
pub(super) fn feature_hint(code: i16) -> &'static str {
    match code {
        1 => " (needs the cargo feature `gzip`)",
        2 => " (needs the cargo feature `snappy`)",
        3 => " (needs the cargo feature `lz4`)",
        4 => " (needs the cargo feature `zstd`)",
        _ => "",
    }
}

/// Compresses and decompresses: what a user implements to bring a codec.
///
/// It is shared by whatever reads and writes at the same time, hence `Send + Sync` and `&self`; what wants to keep tables
/// between calls gives them to a [`worker`](Self::worker). Source: acceptance CP-01..04.
pub trait CompressionCodec: Send + Sync {
    /// The number in the attributes of a batch, 1 to 7; 1 to 4 replace Kafka's own.
    #[doc(alias = "Code")]
    fn code(&self) -> i8;

    /// Appends `plain`, compressed, to `out`.
    ///
    /// # Errors
    ///
    /// The codec cannot take this data.
    fn encode(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError>;

    /// Appends what `data` decompresses to, at most `limit` bytes, to `out`.
    ///
    /// `data` comes from the network: nothing may be allocated by what it declares.
    ///
    /// # Errors
    ///
    /// The data is damaged, or larger than `limit`. What `out` then holds behind its former length is of no use.
    fn decode(&self, data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError>;

    /// Makes a worker that keeps tables and buffers between calls. Default: none, and each call stands alone.
    fn worker(&self) -> Option<Box<dyn CodecWorker>> {
        None
    }
}

/// A codec with state, for one thread at a time: what [`CompressionCodec::worker`] makes.
pub trait CodecWorker: Send + Sync {
    /// As [`CompressionCodec::encode`].
    ///
    /// # Errors
    ///
    /// As [`CompressionCodec::encode`].
    fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError>;

    /// As [`CompressionCodec::decode`].
    ///
    /// # Errors
    ///
    /// As [`CompressionCodec::decode`].
    fn decode(&mut self, data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError>;
}

type Registered = [Option<Arc<dyn CompressionCodec>>; 8];

/// The codecs that a reader or writer knows, by number: Kafka's own unless replaced, and yours.
///
/// Cheap to clone and, without codecs of your own, free to make. Source: acceptance FN-01, without its process-wide table.
#[derive(Clone, Default)]
#[doc(alias = "RegisterCompressionCodec")]
pub struct Codecs {
    own: Option<Arc<Registered>>,
}

impl Codecs {
    /// Kafka's codecs, as far as the crate was built with them.
    pub const fn new() -> Self {
        Self { own: None }
    }

    /// Registers `codec` under its number; the last one wins.
    ///
    /// # Errors
    ///
    /// Its number is not within 1 to 7.
    pub fn register(&mut self, codec: Arc<dyn CompressionCodec>) -> Result<(), CodecError> {
        let code = codec.code();
        let Some(1..=7) = usize::try_from(code).ok() else {
            return Err(CodecError::InvalidCode(code));
        };
        let own = self.own.get_or_insert_with(Default::default);
        Arc::make_mut(own)[code as usize] = Some(codec);
        Ok(())
    }

    /// Has `compression` written at `level`, clamped to what the codec knows: gzip 1 to 9 (default 6), zstd -7 to 4
    /// (default 3). Snappy and lz4 have none. Reading does not care.
    ///
    /// The zstd levels above 4 save another 5 to 10 % at a fraction of the speed. They are those of the C library, which comes
    /// with the feature `zstd-c`.
    ///
    /// # Errors
    ///
    /// The crate was built without the codec, or it has no levels.
    #[doc(alias = "compression.gzip.level")]
    #[doc(alias = "compression.zstd.level")]
    pub fn with_level(mut self, compression: Compression, level: i32) -> Result<Self, CodecError> {
        let codec = match compression {
            Compression::Gzip | Compression::Zstd => leveled(compression, level),
            other => return Err(CodecError::NoLevels(other)),
        };
        let unsupported = CodecError::Unsupported(compression.code().into());
        self.register(codec.ok_or(unsupported)?)?;
        Ok(self)
    }

    /// The codec of this number.
    ///
    /// # Errors
    ///
    /// None is registered and none built in; the error names the cargo feature that it takes.
    pub fn codec(&self, code: i8) -> Result<&dyn CompressionCodec, CodecError> {
        let unsupported = CodecError::Unsupported(i16::from(code));
        let place = usize::try_from(code).map_err(|_| unsupported)?;
        let own = self.own.as_ref().and_then(|own| own.get(place)?.as_deref());
        own.or_else(|| built_in(code)).ok_or(unsupported)
    }

    /// Compresses the body of one batch; a [`Compressor`] does so for many, with less work.
    ///
    /// # Errors
    ///
    /// There is no such codec, or it cannot take this body.
    pub fn compress(
        &self,
        compression: Compression,
        body: &[u8],
    ) -> Result<bytes::Bytes, CodecError> {
        Compressor::new(self.clone(), compression).compress(body)
    }

    /// Compresses the value of a wrapper message of `magic` 0 or 1, with the lz4 frames that magic 0 has.
    ///
    /// # Errors
    ///
    /// As [`Codecs::compress`]; and zstd is refused.
    pub(super) fn compress_in(
        &self,
        magic: i8,
        compression: Compression,
        set: &[u8],
    ) -> Result<bytes::Bytes, CodecError> {
        if compression == Compression::Zstd {
            return Err(CodecError::NeedsMagic2(compression));
        }
        let value = self.compress(compression, set)?;
        if compression != Compression::Lz4 || magic != 0 {
            return Ok(value);
        }
        let mut value = Vec::from(value);
        break_header_checksum(&mut value);
        Ok(value.into())
    }

    /// Decompresses `data`, to at most `limit` bytes; a [`Decompressor`] does so for many, with less work.
    ///
    /// # Errors
    ///
    /// There is no such codec, or the data is damaged or too large.
    pub fn decompress(
        &self,
        compression: Compression,
        data: &[u8],
        limit: usize,
    ) -> Result<bytes::Bytes, CodecError> {
        Decompressor::new(self.clone(), limit).decompress(compression, data)
    }
}

/// Shows the numbers.
impl fmt::Debug for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = (1..=7).filter(|code| self.codec(*code).is_ok());
        f.debug_list().entries(known).finish()
    }
}

#[cfg_attr(not(any(feature = "gzip", feature = "zstd")), allow(unused_variables))]
fn leveled(compression: Compression, level: i32) -> Option<Arc<dyn CompressionCodec>> {
    match compression {
        #[cfg(feature = "gzip")]
        Compression::Gzip => Some(Arc::new(Gzip::new(level))),
        #[cfg(feature = "zstd")]
        Compression::Zstd => Some(Arc::new(Zstd::new(level))),
        _ => None,
    }
}

fn built_in(code: i8) -> Option<&'static dyn CompressionCodec> {
    match code {
        #[cfg(feature = "gzip")]
        1 => Some(&gzip::DEFAULT),
        #[cfg(feature = "snappy")]
        2 => Some(&Snappy),
        #[cfg(feature = "lz4")]
        3 => Some(&Lz4),
        #[cfg(feature = "zstd")]
        4 => Some(&zstd::DEFAULT),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
