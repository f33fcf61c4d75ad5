//! Requests as a broker reads them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kafka_fuzz::bounded(
    data,
    256,
    16 << 10,
    kafka_proto::api::fuzz::request
));
