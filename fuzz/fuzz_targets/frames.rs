//! A stream of frames that arrives in chunks of any size.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kafka_fuzz::bounded(
    data,
    256,
    1 << 20,
    kafka_proto::machine::fuzz::frames
));
