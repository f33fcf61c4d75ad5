//! Compressed payloads, and what they decompress to.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_proto::record::{CodecError, Codecs, Compression, Decompressor};

use super::line::{Outcome, Vector, equal, same_bytes};

/// The plain bytes that vectors of one file name.
pub(crate) type Plains = BTreeMap<u64, Bytes>;

const CODECS: [Compression; 4] = [
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

/// Whether the codec of this name is built in.
pub(crate) fn is_built(codec: &str) -> Result<bool, String> {
    let compression: Compression = codec.parse().map_err(|_| format!("no codec is {codec}"))?;
    Ok(compression == Compression::None || Codecs::new().codec(compression.code()).is_ok())
}

pub(crate) fn check(v: &Vector, plains: &mut Plains) -> Outcome {
    if v.has("plain_hex") {
        let plain = v.hex("plain_hex")?;
        let mut built = CODECS
            .iter()
            .filter(|c| Codecs::new().codec(c.code()).is_ok());
        built.try_for_each(|codec| round_trip(*codec, &plain))?;
        plains.insert(v.0["id"].as_u64().ok_or("no id")?, plain);
        return Ok(());
    }
    let codec = v.text("codec")?;
    if !is_built(codec)? {
        return Ok(());
    }
    let compression: Compression = codec.parse().map_err(|_| "no such codec")?;
    let (data, magic) = (v.hex("hex")?, v.number("magic")?);
    let decompress = |limit| {
        let mut decompressor = Decompressor::new(Codecs::new(), limit);
        decompressor.decompress_in(magic, compression, &data)
    };
    let result = decompress(64 << 20);
    if v.text("verdict") == Ok("refuse") {
        return match result {
            Ok(_) => Err("Java refuses".to_owned()),
            Err(_) => Ok(()),
        };
    }
    let plain = v.0["plain"].as_u64().and_then(|id| plains.get(&id));
    let plain = plain.ok_or("no plain bytes have this id")?;
    same_bytes(&result.map_err(|e| e.to_string())?, plain)?;
    // the exact size is enough, and a byte less is not
    if let Err(e) = decompress(plain.len()) {
        return Err(format!("with the exact limit: {e}"));
    }
    match plain.len().checked_sub(1) {
        Some(limit) => {
            let refused = decompress(limit).map(|plain| plain.len());
            equal(
                "with a byte less",
                refused,
                Err::<usize, _>(CodecError::TooLarge { limit }),
            )
        }
        None => Ok(()),
    }
}

fn round_trip(compression: Compression, plain: &[u8]) -> Outcome {
    let codecs = Codecs::new();
    let data = codecs
        .compress(compression, plain)
        .map_err(|e| e.to_string())?;
    let again = codecs.decompress(compression, &data, plain.len());
    same_bytes(&again.map_err(|e| e.to_string())?, plain)
}
