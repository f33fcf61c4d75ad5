//! What a broker answers while a connection authenticates.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kafka_fuzz::bounded(
    data,
    1024,
    64 << 10,
    kafka_proto::machine::fuzz::authentication
));
