//! The frames that Java puts around blocks of snappy.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kafka_fuzz::bounded(
    data,
    64,
    16 << 20,
    kafka_proto::record::fuzz::xerial
));
