use allocation_counter::measure;

use super::*;
use crate::record::{BatchBuilder, BatchHeader, Batches, Record, RecordErrorKind};

const MIB: usize = 1 << 20;
const LIMIT: usize = 16 * MIB;

/// The codecs of Kafka that the crate was built with.
fn built() -> impl Iterator<Item = Compression> {
    let all = (1..=4).filter_map(Compression::from_code);
    all.filter(|c| Codecs::new().codec(c.code()).is_ok())
}

fn samples() -> Vec<Vec<u8>> {
    let mut seed = 1u64;
    let mut noise = |n: usize| -> Vec<u8> {
        let next = |_| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed as u8
        };
        (0..n).map(next).collect()
    };
    let text: String = (0..20_000).map(|n| format!("line {}\n", n * n)).collect();
    let mut samples = vec![Vec::new(), vec![7], vec![0; 300_000], text.into_bytes()];
    samples.extend([1, 1_000, 65_535, 65_536, 65_537, 200_000].map(&mut noise));
    samples
}

#[test]
fn what_is_compressed_decompresses_with_and_without_a_worker() {
    for compression in built() {
        let mut compressor = Compressor::new(Codecs::new(), compression);
        let mut decompressor = Decompressor::default();
        for plain in samples() {
            let data = compressor.compress(&plain).expect("compressed");
            let read = decompressor.decompress(compression, &data);
            assert!(read.expect("reads") == plain, "{compression}");
            let codecs = Codecs::new();
            let (mut alone, mut again) = (vec![1], vec![2]);
            let codec = codecs.codec(compression.code()).expect("built in");
            codec.encode(&plain, &mut alone).expect("compressed");
            assert_eq!((alone[0], &alone[1..]), (1, &data[..]), "appends the same");
            codec
                .decode(&alone[1..], plain.len(), &mut again)
                .expect("reads");
            assert!(again[0] == 2 && again[1..] == plain, "{compression}");
        }
    }
}

#[test]
fn levels_are_clamped_and_change_the_size() {
    let text = samples().swap_remove(3);
    for (compression, low, high) in [
        (Compression::Gzip, i32::MIN, i32::MAX),
        (Compression::Zstd, i32::MIN, i32::MAX),
    ] {
        let Ok(fast) = Codecs::new().with_level(compression, low) else {
            continue;
        };
        let small = Codecs::new().with_level(compression, high).expect("built");
        let sizes = [fast, small].map(|codecs| {
            let data = codecs.compress(compression, &text).expect("compressed");
            let read = Codecs::new().decompress(compression, &data, text.len());
            assert!(read.expect("reads") == text);
            data.len()
        });
        assert!(sizes[0] > sizes[1], "{compression}: {sizes:?}");
    }
    let lz4 = Codecs::new().with_level(Compression::Lz4, 1);
    assert_eq!(lz4.err(), Some(CodecError::NoLevels(Compression::Lz4)));
}

/// With the C library each level from 5 on is its own, and what it writes is read in pure Rust.
#[cfg(feature = "zstd-c")]
#[test]
fn high_levels_of_zstd_read_back_and_save_something() {
    let text = samples().swap_remove(3);
    let size = |level| {
        let codecs = Codecs::new().with_level(Compression::Zstd, level);
        let mut compressor = Compressor::new(codecs.expect("built"), Compression::Zstd);
        let mut size = 0;
        // twice, as state is kept
        for plain in [&text[..], &text[..1_000], &[], &text[..]] {
            let data = compressor.compress(plain).expect("compressed");
            let read = Codecs::new().decompress(Compression::Zstd, &data, plain.len());
            assert!(read.expect("reads") == *plain, "level {level}");
            size = data.len();
        }
        size
    };
    let sizes = [4, 5, 9, 19, 22].map(size);
    assert!(sizes[4] < sizes[0] && sizes[3] < sizes[1], "{sizes:?}");
    assert_eq!(size(99), sizes[4], "clamped");
}

/// Every prefix, and every byte changed: an error or other bytes, never a panic.
#[test]
fn damaged_data_never_panics_and_a_cut_is_noticed() {
    let plain = b"one two three one two three one two three, and 7".repeat(3);
    for compression in built() {
        let data = Codecs::new().compress(compression, &plain).expect("ok");
        let mut decompressor = Decompressor::new(Codecs::new(), 10_000);
        for cut in 0..data.len() {
            let result = decompressor.decompress(compression, &data[..cut]);
            // a frame of snappy has no end mark: it may end before the first chunk
            let is_empty_frame = compression == Compression::Snappy && cut == 16;
            assert!(result.is_err() || is_empty_frame, "{compression} {cut}");
        }
        for at in 0..data.len() {
            for value in [0, 0xff, data[at] ^ 1, data[at] ^ 0x80] {
                let mut broken = data.to_vec();
                broken[at] = value;
                let _ = decompressor.decompress(compression, &broken);
            }
        }
        let after_all_that = decompressor.decompress(compression, &data);
        assert!(after_all_that.expect("reads") == plain);
    }
}

/// About 1 MiB that expands as far as the format goes.
fn bomb(compression: Compression) -> Vec<u8> {
    let zeros = vec![0; 4 * MIB];
    match compression {
        // members, one after the other
        Compression::Gzip => {
            let member = Codecs::new().compress(compression, &zeros).expect("ok");
            member.repeat(MIB / member.len())
        }
        // chunks, one after the other
        Compression::Snappy => {
            let frame = Codecs::new().compress(compression, &zeros).expect("ok");
            frame.repeat(MIB / frame.len())
        }
        // a frame of blocks of 4 MiB
        #[cfg(feature = "lz4")]
        Compression::Lz4 => {
            let block = lz4_flex::block::compress(&zeros);
            let block = [&(block.len() as u32).to_le_bytes()[..], &block].concat();
            let mut frame = vec![0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0];
            mend_header_checksum(&mut frame);
            frame.extend(block.repeat(MIB / block.len()));
            frame.extend([0; 4]);
            frame
        }
        // a frame without content size, of blocks that are one byte 128 Ki times
        Compression::Zstd => {
            let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
            let rle = |last: u32| ((128 << 10) << 3 | 1 << 1 | last).to_le_bytes();
            for _ in 0..MIB / 4 {
                frame.extend_from_slice(&rle(0)[..3]);
                frame.push(0);
            }
            frame.extend_from_slice(&rle(1)[..3]);
            frame.push(0);
            frame
        }
        other => unreachable!("{other}"),
    }
}

#[test]
fn a_bomb_of_1_mib_is_a_typed_error_of_its_batch_and_memory_stops_at_the_limit() {
    for compression in built() {
        let (mut header, _) = BatchBuilder::new(Vec::new()).finish();
        header.attributes = compression.attributes();
        header.record_count = 1;
        let body = bomb(compression);
        assert!(body.len() > MIB / 2);
        let field = [&header.write(&body)[..], &body].concat();
        let mut batches = Batches::new(field.into()).limit(LIMIT);
        let mut result = None;
        let memory = measure(|| result = batches.next());
        let error = result.expect("an error").expect_err("too large");
        assert_eq!(error.kind(), RecordErrorKind::TooLarge(LIMIT));
        assert!(batches.next().is_none());
        let peak = memory.bytes_max as usize;
        assert!(peak < 3 * LIMIT, "{compression}: {peak}");
    }
}

/// Sizes that are declared and not there: nothing is allocated by them.
#[test]
fn declared_sizes_that_lie_cost_no_memory() {
    let lies: &[(Compression, &[u8])] = &[
        // a raw block of 15 MiB, of 4 GiB, and more than a varint holds
        (Compression::Snappy, b"\x80\x80\xc0\x07\x00"),
        (Compression::Snappy, b"\xff\xff\xff\xff\x0f\x00"),
        (Compression::Snappy, b"\xff\xff\xff\xff\xff\xff\x01\x00"),
        // chunks of 2 GiB and of 4 GiB
        (
            Compression::Snappy,
            b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\x7f\xff\xff\xff\x01",
        ),
        (
            Compression::Snappy,
            b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff\x01",
        ),
        // a content size of 15 MiB without one, with the block of one byte
        (
            Compression::Zstd,
            b"\x28\xb5\x2f\xfd\xa0\x00\x00\xf0\x00\x09\x00\x00x",
        ),
        // of 2^64 - 1
        (
            Compression::Zstd,
            b"\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\xff\x09\x00\x00x",
        ),
        // a window of 2 TiB
        (Compression::Zstd, b"\x28\xb5\x2f\xfd\x00\xf8\x09\x00\x00x"),
        // a skippable frame of 4 GiB
        (Compression::Zstd, b"\x50\x2a\x4d\x18\xff\xff\xff\xff"),
        // a block of 2 GiB
        (
            Compression::Lz4,
            b"\x04\x22\x4d\x18\x60\x70\x73\xff\xff\xff\x7f",
        ),
        // a content size of 15 MiB with a block of one byte
        (
            Compression::Lz4,
            b"\x04\x22\x4d\x18\x68\x40\0\0\xf0\0\0\0\0\0\0\x01\0\0\x80x\0\0\0\0",
        ),
        // an extra field of 64 KiB that is not there
        (Compression::Gzip, b"\x1f\x8b\x08\x04\0\0\0\0\0\x03\xff\xff"),
    ];
    let mut checked = 0;
    for (compression, data) in lies {
        if !built().any(|c| c == *compression) {
            continue;
        }
        checked += 1;
        let mut data = data.to_vec();
        if *compression == Compression::Lz4 {
            mend_header_checksum(&mut data);
        }
        let mut result = Ok(Default::default());
        let memory = measure(|| result = Codecs::new().decompress(*compression, &data, LIMIT));
        assert!(result.is_err(), "{compression} {data:02x?}");
        let peak = memory.bytes_max;
        assert!(peak < 512 << 10, "{compression} {data:02x?}: {peak}");
    }
    assert!(checked == lies.len() || built().count() < 4);
}

#[test]
fn a_count_of_records_that_lies_costs_no_memory() {
    let mut builder = BatchBuilder::new(Vec::new());
    builder.push(&Record::new("v"), 0);
    let (mut header, body) = builder.finish();
    (header.record_count, header.last_offset_delta) = (i32::MAX, i32::MAX);
    for compression in built() {
        header.attributes = compression.attributes();
        let body = Codecs::new().compress(compression, &body).expect("ok");
        let field = bytes::Bytes::from([&header.write(&body)[..], &body].concat());
        let mut read = 0;
        let memory = measure(|| {
            for batch in Batches::new(field.clone()) {
                read += batch.expect("whole").iter().filter(Result::is_ok).count();
            }
        });
        assert_eq!(read, 1);
        assert!(memory.bytes_max < 512 << 10, "{}", memory.bytes_max);
    }
}

/// Turns every byte around.
struct Mirror(i8);

impl CompressionCodec for Mirror {
    fn code(&self) -> i8 {
        self.0
    }

    fn encode(&self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend(plain.iter().map(|b| !b));
        Ok(())
    }

    fn decode(&self, data: &[u8], _: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.encode(data, out)
    }
}

/// Acceptance FN-01, CP-01 to CP-04.
#[test]
fn a_codec_of_the_users_is_used_and_replaces_one_of_ours() {
    let mut builder = BatchBuilder::new(Vec::new());
    builder.push(&Record::new("value"), 0);
    let (mut header, body) = builder.finish();
    for code in [1, 5, 7] {
        let compression = Compression::from_code(code).expect("a codec");
        let mut codecs = Codecs::new();
        codecs.register(Arc::new(Mirror(code))).expect("legal");
        let data = codecs.compress(compression, &body).expect("compressed");
        assert_eq!(data[0], !body[0]);
        header.attributes = compression.attributes();
        let field = bytes::Bytes::from([&header.write(&data)[..], &data].concat());
        let mut batches = Batches::new(field.clone()).codecs(codecs.clone());
        let batch = batches.next().expect("a batch").expect("reads");
        assert_eq!(batch.body(), &body);
        assert_eq!(batch.header().codec(), i16::from(code));
        let mut batches = Batches::new(field.clone()).codecs(codecs).limit(3);
        let error = batches.next().expect("an error").expect_err("too large");
        assert_eq!(error.kind(), RecordErrorKind::TooLarge(3));
        // others do not know of it
        assert!(Batches::new(field).next().expect("an error").is_err());
    }
    for code in [-1, 0, 8] {
        let error = Codecs::new().register(Arc::new(Mirror(code)));
        assert_eq!(error, Err(CodecError::InvalidCode(code)));
    }
}

#[test]
fn a_codec_that_is_not_there_is_named_with_the_feature_that_it_takes() {
    let error = CodecError::Unsupported(4).to_string();
    assert!(error.contains("cargo feature `zstd`"), "{error}");
    let kind = RecordErrorKind::from(CodecError::Unsupported(3)).to_string();
    assert!(kind.contains("cargo feature `lz4`"), "{kind}");
    for code in 1..=4 {
        let compression = Compression::from_code(code).expect("a codec");
        let built = built().any(|c| c == compression);
        let expected = CodecError::Unsupported(code.into());
        let empty = Codecs::new().compress(compression, b"").err();
        assert_eq!(empty, (!built).then_some(expected));
    }
    assert_eq!(BatchHeader::CODEC & Compression::Zstd.attributes(), 4);
}

#[test]
fn names_and_numbers_go_round() {
    for code in 0..5 {
        let compression = Compression::from_code(code).expect("a codec");
        assert_eq!(compression.code(), code);
        assert_eq!(compression.to_string().parse(), Ok(compression));
    }
    assert_eq!(Compression::from_code(8), None);
    assert_eq!(
        "brotli".parse::<Compression>(),
        Err(CodecError::UnknownName)
    );
}
