//! Record batches and message sets, compared with what Java reads in them.

use bytes::Bytes;
use kafka_proto::record::{
    BatchBuilder, BatchHeader, Batches, Codecs, Compression, Header, Record, RecordBatch,
    RecordError, RecordView, message_set, next_offset,
};
use serde_json::Value;

use super::{
    codecs::is_built,
    line::{Outcome, Vector, equal, nullable_hex, same_bytes},
};

/// A set reads as in Java, and what was read is written as the same bytes wherever it can be.
pub(crate) fn read(v: &Vector) -> Outcome {
    if !is_readable(v)? {
        return Ok(());
    }
    let field = v.hex("hex")?;
    let batches = batches(&field).map_err(|e| e.to_string())?;
    compare(&batches, v)?;
    let size: usize = batches.iter().map(|(b, _)| b.header().total_size()).sum();
    let trailing = v.0["trailing"].as_u64().unwrap_or(0) as usize;
    equal("trailing", field.len() - size, trailing)?;
    let next = batches.last().map(|(b, _)| b.header().next_offset());
    equal(
        "next offset",
        next_offset(&field),
        Ok::<_, RecordError>(next),
    )?;
    let mut rest = field;
    for (batch, records) in &batches {
        written(
            batch.header(),
            records,
            &rest.split_to(batch.header().total_size()),
        )?;
    }
    Ok(())
}

/// A broken set is refused, or not, as in Java.
pub(crate) fn broken(v: &Vector) -> Outcome {
    let result = batches(&v.hex("hex")?);
    match (v.text("verdict")?, result) {
        ("refuse", Ok(_)) => Err("Java refuses".to_owned()),
        ("refuse", Err(_)) => Ok(()),
        ("incomplete", Ok(batches)) if batches.is_empty() => Ok(()),
        ("incomplete", Ok(batches)) => Err(format!("{} batches are read", batches.len())),
        ("read", _) if !is_readable(v)? => Ok(()),
        ("read", Ok(batches)) => compare(&batches, v),
        ("read", Err(_)) if v.is("strict_may_refuse") => Ok(()),
        ("incomplete" | "read", Err(e)) => Err(e.to_string()),
        (other, _) => Err(format!("no verdict is {other}")),
    }
}

/// A record without its batch.
#[derive(Debug, Eq, PartialEq)]
struct Plain {
    offset: i64,
    timestamp: i64,
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Vec<(Bytes, Option<Bytes>)>,
}

fn plain(record: RecordView<'_>) -> Plain {
    let own = |b: Option<&[u8]>| b.map(Bytes::copy_from_slice);
    let header = |h: Header<'_>| (Bytes::copy_from_slice(h.key()), own(h.value()));
    Plain {
        offset: record.offset,
        timestamp: record.timestamp,
        key: own(record.key),
        value: own(record.value),
        headers: record.headers.map(header).collect(),
    }
}

fn expected(record: &Value) -> Result<Plain, String> {
    let headers = record["headers"].as_array().map_or(&[][..], |h| h);
    let header = |h: &Value| {
        let name = h[0].as_str().ok_or("a header without a name")?;
        Ok((
            Bytes::copy_from_slice(name.as_bytes()),
            nullable_hex(&h[1])?,
        ))
    };
    Ok(Plain {
        offset: record["offset"].as_i64().ok_or("no offset")?,
        timestamp: record["timestamp"].as_i64().ok_or("no timestamp")?,
        key: nullable_hex(&record["key"])?,
        value: nullable_hex(&record["value"])?,
        headers: headers.iter().map(header).collect::<Result<_, String>>()?,
    })
}

fn batches(records: &Bytes) -> Result<Vec<(RecordBatch, Vec<Plain>)>, RecordError> {
    Batches::new(records.clone())
        .map(|batch| {
            let batch = batch?;
            let records = batch.iter().map(|r| r.map(plain));
            let records = records.collect::<Result<_, _>>()?;
            Ok((batch, records))
        })
        .collect()
}

/// Whether all codecs that the vector needs are built in.
fn is_readable(v: &Vector) -> Result<bool, String> {
    for batch in v.0["batches"].as_array().into_iter().flatten() {
        if !is_built(batch["codec"].as_str().ok_or("no codec")?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn compare(batches: &[(RecordBatch, Vec<Plain>)], v: &Vector) -> Outcome {
    let java = v.list("batches")?;
    equal("number of batches", batches.len(), java.len())?;
    for ((batch, records), java) in batches.iter().zip(java) {
        let header = batch.header();
        let same = |field: &str, ours: i64| equal(field, Some(ours), java[field].as_i64());
        same("magic", header.magic.into())?;
        same("size", header.total_size() as i64)?;
        same("base_offset", header.base_offset)?;
        same("last_offset", header.last_offset())?;
        same("max_timestamp", header.max_timestamp)?;
        same("checksum", header.crc.into())?;
        let codec = Compression::from_code(header.codec() as i8).ok_or("no such codec")?;
        equal(
            "codec",
            codec.to_string().as_str(),
            java["codec"].as_str().unwrap_or_default(),
        )?;
        let timestamps = match (header.magic, header.is_append_time()) {
            (0, _) => "NoTimestampType",
            (_, false) => "CreateTime",
            (_, true) => "LogAppendTime",
        };
        equal(
            "timestamp type",
            Some(timestamps),
            java["timestamp_type"].as_str(),
        )?;
        if header.magic == 2 {
            same("partition_leader_epoch", header.leader_epoch.into())?;
            same("base_timestamp", header.base_timestamp)?;
            same("producer_id", header.producer_id)?;
            same("producer_epoch", header.producer_epoch.into())?;
            same("base_sequence", header.base_sequence.into())?;
            same("count", header.record_count.into())?;
            same("last_sequence", header.last_sequence().into())?;
            let transactional = header.attributes & BatchHeader::TRANSACTIONAL != 0;
            equal(
                "transactional",
                Some(transactional),
                java["transactional"].as_bool(),
            )?;
            equal(
                "control",
                Some(header.is_control()),
                java["control"].as_bool(),
            )?;
            let horizon = java["delete_horizon_ms"].as_i64();
            equal("delete horizon", header.delete_horizon(), horizon)?;
        }
        let java = java["records"].as_array().ok_or("no records")?;
        let java: Vec<_> = java.iter().map(expected).collect::<Result<_, _>>()?;
        match records
            .iter()
            .zip(&java)
            .position(|(ours, java)| ours != java)
        {
            Some(at) => {
                return Err(format!(
                    "record {at} is {:?}, not {:?}",
                    records[at], java[at]
                ));
            }
            None => equal("number of records", records.len(), java.len())?,
        }
    }
    Ok(())
}

/// Writes a batch again: the header always, and the records if they are not compressed and nothing was taken out.
fn written(header: &BatchHeader, records: &[Plain], bytes: &Bytes) -> Outcome {
    if header.magic == 2 {
        let body = bytes.slice(BatchHeader::SIZE..);
        same_bytes(&header.write(&body), &bytes[..BatchHeader::SIZE])?;
    }
    let contiguous = (0..)
        .zip(records)
        .all(|(n, r)| r.offset == header.base_offset + n);
    // the records of these say less than their bytes, or the base time is not the first record's
    let elsewhere = BatchHeader::APPEND_TIME | BatchHeader::DELETE_HORIZON;
    let plain = header.codec() == 0 && header.attributes & elsewhere == 0;
    let first = records.first().map_or(-1, |r| r.timestamp);
    let based = header.magic < 2 || header.base_timestamp == first;
    if !contiguous || !plain || !based || records.is_empty() {
        return Ok(());
    }
    let mut builder = BatchBuilder::new(Vec::new());
    for r in records {
        let headers: Vec<_> = r.headers.iter().map(borrowed).collect();
        let (valued, is_null) = (
            Record::new(r.value.as_deref().unwrap_or_default()),
            r.value.is_none(),
        );
        let record = match (&r.key, is_null) {
            (Some(key), true) => Record::tombstone(key),
            (Some(key), false) => valued.key(key),
            (None, true) => Record::default(),
            (None, false) => valued,
        };
        builder.push(&record.headers(&headers), r.timestamp);
    }
    let (_, body) = builder.finish();
    if header.magic == 2 {
        return same_bytes(&body, &bytes[BatchHeader::SIZE..]);
    }
    let set = message_set(
        header.magic,
        header,
        &body,
        Compression::None,
        &Codecs::new(),
    );
    same_bytes(&set.map_err(|e| e.to_string())?, bytes)
}

fn borrowed((key, value): &(Bytes, Option<Bytes>)) -> Header<'_> {
    match value {
        Some(value) => Header::new(key, value),
        None => Header::null(key),
    }
}
