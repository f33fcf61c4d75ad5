//! lz4 (code 3): frames of independent blocks.
//!
//! Up to message format 0, Kafka computed the header checksum over the magic number too, and has never looked at it there
//! (KIP-57). The codec knows the right one only; [`mend_header_checksum`] and [`break_header_checksum`] translate.

use twox::xxh32;

/// Puts the right header checksum in a frame of magic 0.
#[cfg_attr(not(feature = "lz4"), allow(unused_variables))]
pub(in crate::record) fn mend_header_checksum(frame: &mut [u8]) {
    if let Some(at) = checksum_place(frame) {
        frame[at] = (xxh32(&frame[4..at]) >> 8) as u8;
    }
}

/// Puts the header checksum in a frame that magic 0 has.
pub(super) fn break_header_checksum(frame: &mut [u8]) {
    if let Some(at) = checksum_place(frame) {
        frame[at] = (xxh32(&frame[..at]) >> 8) as u8;
    }
}

/// Where the header checksum of a frame stands.
fn checksum_place(frame: &[u8]) -> Option<usize> {
    let flags = *frame.get(4)?;
    let at = if flags & 0x08 != 0 { 14 } else { 6 };
    (frame.len() > at).then_some(at)
}

/// Without the codec there is nothing to mend.
#[cfg(not(feature = "lz4"))]
mod twox {
    pub(super) fn xxh32(_: &[u8]) -> u32 {
        0
    }
}

#[cfg(feature = "lz4")]
mod twox {
    pub(super) fn xxh32(data: &[u8]) -> u32 {
        twox_hash::XxHash32::oneshot(0, data)
    }
}

#[cfg(feature = "lz4")]
pub use codec::Lz4;

#[cfg(feature = "lz4")]
mod codec {
    use lz4_flex::block::{
        CompressTable, DecompressError, compress_into_with_table, decompress_into,
        get_maximum_output_size,
    };

    use super::xxh32;
    use crate::record::compress::{CodecError, CodecWorker, CompressionCodec};

    /// lz4, code 3; it has no levels here. Source: KIP-57; acceptance CP-05.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct Lz4;

    impl CompressionCodec for Lz4 {
        fn code(&self) -> i8 {
            3
        }

        fn encode(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
            encode(&mut CompressTable::default(), plain, out)
        }

        fn decode(&self, data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
            decode(data, limit, out)
        }

        fn worker(&self) -> Option<Box<dyn CodecWorker>> {
            Some(Box::new(Lz4Worker(CompressTable::default())))
        }
    }

    struct Lz4Worker(CompressTable);

    impl CodecWorker for Lz4Worker {
        fn encode(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
            encode(&mut self.0, plain, out)
        }

        fn decode(
            &mut self,
            data: &[u8],
            limit: usize,
            out: &mut Vec<u8>,
        ) -> Result<(), CodecError> {
            decode(data, limit, out)
        }
    }

    const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
    /// The bytes of Java: version 1, independent blocks of at most 64 KiB, the checksum of these two bytes.
    const HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
    const BLOCK: usize = 64 << 10;
    /// The bit of a block size that says "not compressed".
    const PLAIN: u32 = 1 << 31;
    /// A byte of match length gives 255.
    const BEST_RATIO: usize = 255;

    fn corrupt(what: &'static str) -> CodecError {
        CodecError::Corrupt(what)
    }

    fn cut_short() -> CodecError {
        corrupt("lz4: cut short")
    }

    fn encode(
        table: &mut CompressTable,
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        out.reserve(HEADER.len() + plain.len() / 2 + 64);
        out.extend_from_slice(&HEADER);
        for block in plain.chunks(BLOCK) {
            let at = out.len();
            out.resize(at + 4 + get_maximum_output_size(block.len()), 0);
            let size = compress_into_with_table(block, &mut out[at + 4..], table)
                .map_err(|_| CodecError::Encode("lz4"))?;
            let mark = if size < block.len() {
                out.truncate(at + 4 + size);
                size as u32
            } else {
                out.truncate(at + 4);
                out.extend_from_slice(block);
                block.len() as u32 | PLAIN
            };
            out[at..at + 4].copy_from_slice(&mark.to_le_bytes());
        }
        out.extend_from_slice(&[0; 4]);
        Ok(())
    }

    /// What the header of a frame says.
    struct Frame {
        block_max: usize,
        block_checksums: bool,
        content_checksum: bool,
        content_size: Option<u64>,
    }

    /// Reads the first frame of `data`; what follows is left alone, as in Java.
    fn decode(data: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let start = out.len();
        let mut rest = data;
        let frame = header(&mut rest)?;
        if frame.content_size.is_some_and(|size| size > limit as u64) {
            return Err(CodecError::TooLarge { limit });
        }
        loop {
            let mark = u32_le(&mut rest)?;
            if mark == 0 {
                break;
            }
            let size = (mark & !PLAIN) as usize;
            if size > frame.block_max {
                return Err(corrupt("lz4: a block larger than the frame allows"));
            }
            let block = take(&mut rest, size)?;
            if frame.block_checksums && u32_le(&mut rest)? != xxh32(block) {
                return Err(corrupt("lz4: wrong block checksum"));
            }
            let left = limit - (out.len() - start);
            if mark & PLAIN == 0 {
                expand(block, frame.block_max, left, limit, out)?;
            } else if size <= left {
                out.extend_from_slice(block);
            } else {
                return Err(CodecError::TooLarge { limit });
            }
        }
        if frame.content_checksum && u32_le(&mut rest)? != xxh32(&out[start..]) {
            return Err(corrupt("lz4: wrong content checksum"));
        }
        let size = (out.len() - start) as u64;
        if frame.content_size.is_some_and(|said| said != size) {
            return Err(corrupt("lz4: another content size than the header says"));
        }
        Ok(())
    }

    fn header(rest: &mut &[u8]) -> Result<Frame, CodecError> {
        if take(rest, 4)? != MAGIC {
            return Err(corrupt("lz4: not a frame"));
        }
        let described = *rest;
        let &[flags, sizes] = take(rest, 2)? else {
            return Err(corrupt("lz4: cut short"));
        };
        if flags >> 6 != 1 || flags & 0x03 != 0 || sizes & 0x8f != 0 {
            return Err(corrupt("lz4: a frame version or flag that is not known"));
        }
        if flags & 0x20 == 0 {
            return Err(corrupt("lz4: dependent blocks"));
        }
        let block_max = match sizes >> 4 {
            n @ 4..=7 => 1 << (8 + 2 * n),
            _ => return Err(corrupt("lz4: an unknown block size")),
        };
        let content_size = if flags & 0x08 != 0 {
            let low = u32_le(rest)?;
            Some(u64::from(u32_le(rest)?) << 32 | u64::from(low))
        } else {
            None
        };
        let described = &described[..described.len() - rest.len()];
        if take(rest, 1)? != [(xxh32(described) >> 8) as u8] {
            return Err(corrupt("lz4: wrong header checksum"));
        }
        Ok(Frame {
            block_max,
            block_checksums: flags & 0x10 != 0,
            content_checksum: flags & 0x04 != 0,
            content_size,
        })
    }

    /// Decompresses one block to at most `left` bytes.
    fn expand(
        block: &[u8],
        block_max: usize,
        left: usize,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let at = out.len();
        let room = block_max.min(block.len().saturating_mul(BEST_RATIO));
        out.resize(at + room.min(left), 0);
        match decompress_into(block, &mut out[at..]) {
            Ok(size) => {
                out.truncate(at + size);
                Ok(())
            }
            Err(DecompressError::OutputTooSmall { .. }) if left < room => {
                Err(CodecError::TooLarge { limit })
            }
            Err(_) => Err(corrupt("lz4: not an lz4 block")),
        }
    }

    fn take<'a>(rest: &mut &'a [u8], size: usize) -> Result<&'a [u8], CodecError> {
        rest.split_off(..size).ok_or_else(cut_short)
    }

    fn u32_le(rest: &mut &[u8]) -> Result<u32, CodecError> {
        let (bytes, after) = rest.split_first_chunk().ok_or_else(cut_short)?;
        *rest = after;
        Ok(u32::from_le_bytes(*bytes))
    }
}
