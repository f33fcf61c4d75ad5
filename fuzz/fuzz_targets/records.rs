//! What stands in the `records` field of fetch responses: all formats, all codecs.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kafka_fuzz::bounded(
    data,
    64,
    32 << 20,
    kafka_proto::record::fuzz::records
));
