//! Frames of lz4, behind their magic number.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kafka_fuzz::bounded(
    data,
    64,
    16 << 20,
    kafka_proto::record::fuzz::lz4
));
