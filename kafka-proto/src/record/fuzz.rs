//! The fuzz bodies of records and codecs: compiled by every test build, run over a corpus by `cargo test`.

use bytes::Bytes;

use super::{
    BatchBuilder, Batches, CodecError, Codecs, Compression, Compressor, Decompressor, Header,
    Record, RecordBatch, compress::mend_header_checksum, legacy, next_offset,
};

/// What a batch may decompress to here: small, so that a bomb takes no time.
const LIMIT: usize = 1 << 20;

/// Reads `data` as a `records` field of any formats and codecs. Nothing may panic; what reads must be written and read back
/// equal, in magic 2 with every codec, and in magic 0 and 1 what these can hold.
pub fn records(data: &[u8]) {
    // checksums would hide everything behind them from the fuzzer
    let batches = Batches::new(Bytes::copy_from_slice(data));
    let batches = batches.without_crc().limit(LIMIT);
    let mut next = None;
    let mut failed = false;
    for (n, batch) in batches.enumerate() {
        let Ok(batch) = batch else {
            failed = true;
            break;
        };
        assert!(batch.body().len() <= 3 * LIMIT.max(data.len()));
        next = Some(batch.header().next_offset());
        // one codec a batch, so that all have their turn
        let code = (data.len() + n) % 5;
        let compression = Compression::from_code(code as i8).unwrap_or_default();
        rewrite(&batch, compression);
    }
    match next_offset(data) {
        Ok(found) => assert!(failed || found == next, "{found:?} {next:?}"),
        Err(_) => assert!(failed),
    }
}

/// Decompresses `data` behind its first byte, which names the codec, and has the codecs take it as plain bytes.
///
/// Nothing may panic or go beyond the limit, a worker that has seen damage must be as good as a new one, and what is
/// compressed must read back.
pub fn codec(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else {
        return;
    };
    let compression = Compression::from_code((first % 4) as i8 + 1).unwrap_or_default();
    let codecs = Codecs::new();
    let mut decompressor = Decompressor::new(codecs.clone(), LIMIT);
    let read = decompressor.decompress(compression, data);
    if let Ok(plain) = &read {
        assert!(plain.len() <= LIMIT);
        round(&codecs, &mut decompressor, compression, plain);
        // a byte less is too little
        if let Some(limit) = plain.len().checked_sub(1) {
            let error = codecs.decompress(compression, data, limit);
            assert_eq!(error, Err(CodecError::TooLarge { limit }));
        }
    }
    // in magic 0 the header checksum of lz4 does not count, and nothing else differs
    let in_magic_0 = decompressor.decompress_in(0, compression, data);
    assert!(compression == Compression::Zstd || read.is_err() || in_magic_0 == read);
    round(&codecs, &mut decompressor, compression, data);
    assert_eq!(decompressor.decompress(compression, data), read);
}

/// Reads `data` as the chunks of a snappy frame, and as plain bytes to be framed in pieces.
///
/// Nothing may panic or go beyond the limit, and frames that follow each other read as one, as other clients write them.
pub fn xerial(data: &[u8]) {
    let header = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
    framed(Compression::Snappy, &[header, data].concat());
    let codecs = Codecs::new();
    let size = data.first().map_or(1, |n| usize::from(*n) + 1);
    let mut joined = Vec::new();
    for piece in data.chunks(size) {
        match codecs.compress(Compression::Snappy, piece) {
            Ok(frame) => joined.extend_from_slice(&frame),
            // the crate was built without it
            Err(_) => return,
        }
    }
    if !joined.is_empty() {
        let read = codecs.decompress(Compression::Snappy, &joined, data.len());
        assert!(read.expect("what was compressed reads") == *data);
    }
}

/// Reads `data` as what follows the magic number of an lz4 frame, with the checksum that its header should have: a fuzzer
/// would not find it.
///
/// Nothing may panic or go beyond the limit, whatever blocks, checksums and sizes the header promises.
pub fn lz4(data: &[u8]) {
    let mut frame = [&[0x04, 0x22, 0x4d, 0x18], data].concat();
    mend_header_checksum(&mut frame);
    framed(Compression::Lz4, &frame);
}

fn framed(compression: Compression, frame: &[u8]) {
    let codecs = Codecs::new();
    let mut decompressor = Decompressor::new(codecs.clone(), LIMIT);
    if let Ok(plain) = decompressor.decompress(compression, frame) {
        assert!(plain.len() <= LIMIT);
        round(&codecs, &mut decompressor, compression, &plain);
    }
}

fn round(codecs: &Codecs, decompressor: &mut Decompressor, compression: Compression, plain: &[u8]) {
    if let Ok(packed) = codecs.compress(compression, plain) {
        let read = decompressor.decompress(compression, &packed);
        assert!(read.expect("what was compressed reads") == *plain);
    }
}

type Plain<'a> = (i64, Option<&'a [u8]>, Option<&'a [u8]>, Vec<Header<'a>>);

fn plain(batch: &RecordBatch) -> Vec<Plain<'_>> {
    let records = batch.iter().map_while(Result::ok);
    let each = records.map(|r| {
        let headers: Vec<_> = r.headers.collect();
        assert_eq!(headers.len(), r.headers.len());
        (r.timestamp, r.key, r.value, headers)
    });
    each.collect()
}

/// Writes the records of `batch` again and compares what is then read.
fn rewrite(batch: &RecordBatch, compression: Compression) {
    let read = plain(batch);
    let mut builder = BatchBuilder::new(Vec::new());
    for (timestamp, key, value, headers) in &read {
        let record = Record {
            key: *key,
            value: *value,
            ..Record::default()
        };
        builder.push(&record.headers(headers), *timestamp);
    }
    let (mut header, body) = builder.finish();
    // the crate may have been built without the codec
    if let Ok(packed) = Compressor::new(Codecs::new(), compression).compress(&body) {
        header.attributes |= compression.attributes();
        let field: Bytes = [&header.write(&packed)[..], &packed].concat().into();
        let again = Batches::new(field).limit(body.len()).next();
        let again = again.expect("a batch").expect("what was written reads");
        assert_eq!(plain(&again), read);
        header.attributes = 0;
    }
    for magic in [0, 1] {
        let set = legacy::message_set(magic, &header, &body, compression, &Codecs::new());
        let Ok(set) = set else {
            continue;
        };
        let mut n = 0;
        for batch in Batches::new(set) {
            let batch = batch.expect("what was written reads");
            for again in plain(&batch) {
                let (timestamp, key, value, _) = read[n];
                let timestamp = if magic == 0 { -1 } else { timestamp };
                assert_eq!(again, (timestamp, key, value, Vec::new()));
                n += 1;
            }
        }
        assert_eq!(n, read.len());
    }
}
