use bytes::Bytes;

use super::*;

fn batch_of(records: &[Record<'_>]) -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new());
    for record in records {
        assert!(builder.len() + BatchBuilder::size_bound(record) >= builder.len());
        builder.push(record, 1_000);
    }
    let (header, body) = builder.finish();
    [&header.write(&body)[..], &body].concat().into()
}

fn read(records: &Bytes) -> Result<Vec<i64>, RecordErrorKind> {
    let mut offsets = Vec::new();
    for batch in Batches::new(records.clone()) {
        for record in &batch.map_err(|e| e.kind())? {
            offsets.push(record.map_err(|e| e.kind())?.offset);
        }
    }
    Ok(offsets)
}

#[test]
fn null_and_empty_are_told_apart_in_keys_values_and_headers() {
    let headers = [
        Header::new("a", ""),
        Header::null("a"),
        Header::new(&[0xff], "x"),
    ];
    let records = batch_of(&[
        Record::new("").headers(&headers),
        Record::tombstone("k"),
        Record::new("v").timestamp(7),
    ]);
    let batch = Batches::new(records)
        .next()
        .expect("a batch")
        .expect("good");
    let read: Vec<_> = batch.iter().map(|r| r.expect("good")).collect();
    assert_eq!((read[0].key, read[0].value), (None, Some(&b""[..])));
    assert_eq!((read[1].key, read[1].value), (Some(&b"k"[..]), None));
    assert_eq!(read[2].timestamp, 7);
    assert_eq!(read[0].headers.collect::<Vec<_>>(), headers);
    assert_eq!(read[0].headers.get("a").expect("there").value(), None);
    assert_eq!(headers[2].key_str(), None);
}

#[test]
fn the_size_bound_is_never_exceeded() {
    let value = vec![7; 300];
    let headers = [Header::new("name", &value), Header::null("other")];
    for record in [
        Record::new(""),
        Record::new(&value),
        Record::tombstone(&value).headers(&headers),
    ] {
        let mut builder = BatchBuilder::new(Vec::new());
        builder.push(&record.timestamp(i64::MAX), 0);
        builder.push(&record.timestamp(i64::MIN), 0);
        assert!(
            builder.len() <= 2 * BatchBuilder::size_bound(&record),
            "{record:?}"
        );
    }
}

/// Room that is initialised ahead, or was used before, leaves no trace.
#[test]
fn a_batch_is_the_same_in_whatever_buffer_it_is_built() {
    let text = "x".repeat(5_000);
    let build = |buffer| {
        let mut builder = BatchBuilder::new(buffer);
        for n in 0..40 {
            let (key, value) = (&text[..n], &text[..n * n * 3]);
            let headers = [Header::new(key, value), Header::null("null")];
            let record = Record::new(value).key(key).headers(&headers[..n % 3]);
            let before = builder.len();
            builder.push(&record, 1_000 << n);
            assert!(builder.len() - before <= BatchBuilder::size_bound(&record));
        }
        builder.finish()
    };
    let fresh = build(Vec::new());
    assert_eq!(build(vec![0xaa; 100_000]), fresh);
    assert_eq!(build(vec![0xaa; 100]), fresh);
    assert_eq!(build(Vec::with_capacity(1_000)), fresh);
    let (header, body) = fresh;
    let whole = Bytes::from([&header.write(&body)[..], &body].concat());
    assert_eq!(read(&whole).map(|offsets| offsets.len()), Ok(40));
}

#[test]
fn a_batch_that_is_cut_anywhere_yields_nothing_and_is_no_error() {
    let whole = batch_of(&[Record::new("one"), Record::new("two")]);
    let two = Bytes::from([&whole[..], &whole[..]].concat());
    for cut in 0..whole.len() {
        assert_eq!(read(&two.slice(..whole.len() + cut)), Ok(vec![0, 1]));
        assert_eq!(next_offset(&two[..whole.len() + cut]), Ok(Some(2)));
        assert_eq!(read(&two.slice(..cut)), Ok(vec![]));
        assert_eq!(next_offset(&two[..cut]), Ok(None));
    }
}

#[test]
fn a_flipped_bit_behind_the_checksum_is_noticed() {
    let whole = batch_of(&[Record::new("one").key("k"), Record::new("two")]);
    for at in 21..whole.len() {
        let mut broken = whole.to_vec();
        broken[at] ^= 1;
        assert!(!verify_crc(&broken));
        assert_eq!(read(&broken.into()), Err(RecordErrorKind::Checksum));
    }
    assert!(verify_crc(&whole) && !verify_crc(&whole[..60]));
}

/// The checksum is made good after each change, so that what lies behind it is reached.
fn resealed(mut bytes: Vec<u8>) -> Bytes {
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

#[test]
fn counts_lengths_and_formats_that_lie_are_typed_errors() {
    let whole = batch_of(&[Record::new("one"), Record::new("two")]);
    let with = |at: usize, bytes: &[u8]| {
        let mut broken = whole.to_vec();
        broken[at..at + bytes.len()].copy_from_slice(bytes);
        read(&resealed(broken))
    };
    assert_eq!(
        with(57, &3i32.to_be_bytes()),
        Err(RecordErrorKind::RecordCount)
    );
    assert_eq!(
        with(57, &1i32.to_be_bytes()),
        Err(RecordErrorKind::RecordCount)
    );
    assert_eq!(
        with(57, &i32::MAX.to_be_bytes()),
        Err(RecordErrorKind::RecordCount)
    );
    assert_eq!(
        with(57, &(-1i32).to_be_bytes()),
        Err(RecordErrorKind::InvalidHeader)
    );
    assert_eq!(
        with(23, &(-1i32).to_be_bytes()),
        Err(RecordErrorKind::InvalidHeader)
    );
    assert_eq!(
        with(23, &0i32.to_be_bytes()),
        Err(RecordErrorKind::InvalidRecord)
    );
    assert_eq!(
        with(8, &48i32.to_be_bytes()),
        Err(RecordErrorKind::InvalidLength)
    );
    assert_eq!(
        with(8, &(-1i32).to_be_bytes()),
        Err(RecordErrorKind::InvalidLength)
    );
    assert_eq!(
        with(8, &i32::MAX.to_be_bytes()),
        Err(RecordErrorKind::InvalidLength)
    );
    assert_eq!(with(16, &[3]), Err(RecordErrorKind::UnknownMagic(3)));
    assert_eq!(with(16, &[1]), Err(RecordErrorKind::Checksum));
    assert_eq!(
        with(21, &5i16.to_be_bytes()),
        Err(RecordErrorKind::UnsupportedCodec(5))
    );
    assert_eq!(with(61, &[0x7f]), Err(RecordErrorKind::InvalidRecord));
    assert_eq!(with(64, &[0x03]), Err(RecordErrorKind::InvalidRecord));
}

#[test]
fn sequences_wrap_as_in_kafka() {
    assert_eq!(sequence_after(i32::MAX, 1), 0);
    assert_eq!(sequence_after(i32::MAX - 1, 3), 1);
    let mut header =
        BatchHeader::parse(&batch_of(&[Record::new("a"), Record::new("b")])).expect("whole");
    header.base_sequence = i32::MAX;
    assert_eq!(header.last_sequence(), 0);
}

#[test]
fn a_message_that_is_detached_shares_nothing_and_says_the_same() {
    let headers = [Header::null("h")];
    let records = batch_of(&[
        Record::new("one"),
        Record::new("two").key("k").headers(&headers).timestamp(9),
    ]);
    let batch = Batches::new(records)
        .next()
        .expect("a batch")
        .expect("good");
    let messages = batch.messages(&"orders".into(), 3);
    let message = messages.last().expect("two").expect("good");
    let copy = message.detach();
    assert_eq!(
        (
            copy.topic(),
            copy.partition(),
            copy.offset(),
            copy.timestamp()
        ),
        ("orders", 3, 1, 9)
    );
    assert_eq!((copy.key(), copy.value()), (message.key(), message.value()));
    assert_eq!(copy.headers().collect::<Vec<_>>(), headers);
    assert_eq!(copy.value_bytes().expect("a value"), "two");
    assert!(
        !format!("{message:?}").contains("two"),
        "payload stays out of Debug"
    );
}

#[test]
fn damaged_batches_neither_panic_nor_change_on_a_second_trip() {
    let value = [5; 200];
    let headers = [Header::new("h", &value)];
    let whole = batch_of(&[
        Record::new("one").key("k"),
        Record::new(&value).headers(&headers),
        Record::tombstone("t"),
    ]);
    let mut seed = 1u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize % below
    };
    for _ in 0..5_000 {
        let mut bytes = [&whole[..], &whole[..]].concat();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            bytes[at] = if random(2) == 0 {
                0xff
            } else {
                random(256) as u8
            };
        }
        fuzz::records(&bytes[..random(bytes.len() + 1)]);
    }
}

/// Iteration returns a record or an error: a larger error would make each record slower.
#[test]
fn an_error_is_no_larger_than_a_record() {
    assert!(size_of::<RecordError>() <= size_of::<RawRecord>());
}
