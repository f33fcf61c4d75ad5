//! What a broker says while a client authenticates.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kafka_fuzz::bounded(
    data,
    1024,
    64 << 10,
    kafka_proto::sasl::fuzz::exchange
));
