use super::*;
use crate::record::{Batches, Header, next_offset};

fn body_of(records: &[Record<'_>]) -> (BatchHeader, Vec<u8>) {
    let mut builder = BatchBuilder::new(Vec::new());
    for (n, record) in records.iter().enumerate() {
        builder.push(record, 1_000 + n as i64);
    }
    builder.finish()
}

type Plain = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>);

fn read(set: &Bytes) -> Result<Vec<Plain>, RecordErrorKind> {
    let mut out = Vec::new();
    for batch in Batches::new(set.clone()) {
        for record in &batch.map_err(|e| e.kind())? {
            let record = record.map_err(|e| e.kind())?;
            let own = |b: Option<&[u8]>| b.map(<[u8]>::to_vec);
            out.push((
                record.offset,
                record.timestamp,
                own(record.key),
                own(record.value),
            ));
        }
    }
    Ok(out)
}

/// The codecs of these formats that the crate was built with, and none.
fn compressions() -> impl Iterator<Item = Compression> {
    let all = (0..4).filter_map(Compression::from_code);
    all.filter(|c| *c == Compression::None || Codecs::new().codec(c.code()).is_ok())
}

#[test]
fn a_body_that_is_written_as_a_message_set_reads_back() {
    let long = vec![b'x'; 100_000];
    let records = [
        Record::new("one").key("k"),
        Record::tombstone("two"),
        Record::new(&long),
        Record::new(""),
    ];
    let (mut header, body) = body_of(&records);
    header.base_offset = 40;
    for magic in 0..=1 {
        for compression in compressions() {
            let set = message_set(magic, &header, &body, compression, &Codecs::new());
            let set = set.expect("written");
            assert_eq!(next_offset(&set), Ok(Some(44)));
            let read = read(&set).expect("reads");
            for (n, (offset, timestamp, key, value)) in read.iter().enumerate() {
                assert_eq!(*offset, 40 + n as i64);
                let expected = if magic == 0 { -1 } else { 1_000 + n as i64 };
                assert_eq!(*timestamp, expected);
                assert_eq!(key.as_deref(), records[n].key);
                assert_eq!(value.as_deref(), records[n].value);
            }
            assert_eq!(read.len(), records.len());
        }
    }
}

#[test]
fn what_the_formats_lack_is_refused_and_not_dropped() {
    let headers = [Header::null("h")];
    let (header, body) = body_of(&[Record::new("v").headers(&headers)]);
    let set = |magic, compression| {
        let codecs = Codecs::new();
        message_set(magic, &header, &body, compression, &codecs).expect_err("refused")
    };
    assert_eq!(set(1, Compression::None), MessageSetError::Headers);
    assert_eq!(set(2, Compression::None), MessageSetError::Magic(2));
    let (header, body) = body_of(&[Record::new("v")]);
    let zstd = Compression::Zstd;
    let set = message_set(1, &header, &body, zstd, &Codecs::new());
    let error = CodecError::NeedsMagic2(zstd);
    assert_eq!(set, Err(MessageSetError::Codec(error)));
}

#[test]
fn formats_mixed_in_one_field_are_read_in_turn_and_a_cut_one_ends_it() {
    let (mut header, body) = body_of(&[Record::new("a"), Record::new("b")]);
    let mut field = Vec::new();
    for (n, magic) in [1, 2, 0, 2].into_iter().enumerate() {
        header.base_offset = 2 * n as i64;
        if magic == 2 {
            field.extend_from_slice(&header.write(&body));
            field.extend_from_slice(&body);
        } else {
            let set = message_set(magic, &header, &body, Compression::None, &Codecs::new());
            field.extend_from_slice(&set.expect("written"));
        }
    }
    let whole = Bytes::from(field);
    let offsets = |field: &Bytes| {
        let read = read(field).expect("reads");
        read.iter().map(|(offset, ..)| *offset).collect::<Vec<_>>()
    };
    assert_eq!(offsets(&whole), (0..8).collect::<Vec<_>>());
    for cut in 0..whole.len() {
        let part = whole.slice(..cut);
        let read = offsets(&part);
        let next = read.last().map(|last| last + 1);
        assert_eq!(next_offset(&part), Ok(next), "{cut}");
    }
}

#[test]
fn every_flipped_bit_of_a_message_is_noticed() {
    let (header, body) = body_of(&[Record::new("value").key("key")]);
    for magic in 0..=1 {
        let set = message_set(magic, &header, &body, Compression::None, &Codecs::new());
        let set = set.expect("written");
        for at in CRC..set.len() {
            let mut broken = set.to_vec();
            broken[at] ^= 4;
            assert!(read(&broken.into()).is_err(), "byte {at} of magic {magic}");
        }
    }
}

/// A wrapper whose messages end before they begin, and one that holds itself.
#[test]
fn wrappers_that_nobody_writes_are_refused() {
    for compression in compressions().filter(|c| *c != Compression::None) {
        let codecs = Codecs::new();
        let wrap = |inner: &[u8], offset| {
            let value = codecs.compress(compression, inner).expect("compressed");
            let mut out = Vec::new();
            put(
                &mut out,
                1,
                compression.code(),
                (offset, 5),
                None,
                Some(&value),
            )
            .expect("fits");
            Bytes::from(out)
        };
        let message = |offset| {
            let mut out = Vec::new();
            put(&mut out, 1, 0, (offset, 5), None, Some(b"v")).expect("fits");
            out
        };
        let nested = wrap(&wrap(&message(0), 0), 0);
        assert_eq!(read(&nested), Err(RecordErrorKind::InvalidWrapper));
        assert_eq!(read(&wrap(&[], 0)), Err(RecordErrorKind::InvalidWrapper));
        let backwards = [message(3), message(2)].concat();
        assert_eq!(
            read(&wrap(&backwards, 9)),
            Err(RecordErrorKind::InvalidRecord)
        );
        let before_zero = [message(0), message(5)].concat();
        assert_eq!(
            read(&wrap(&before_zero, 4)),
            Err(RecordErrorKind::InvalidRecord)
        );
        let apart = [message(0), message(i64::from(i32::MAX) + 1)].concat();
        assert!(read(&wrap(&apart, i64::MAX)).is_err());
        let mut short = message(0);
        short[8..12].copy_from_slice(&(SMALLEST - 1).to_be_bytes());
        assert_eq!(read(&wrap(&short, 0)), Err(RecordErrorKind::InvalidLength));
    }
}
