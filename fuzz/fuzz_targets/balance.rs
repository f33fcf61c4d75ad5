//! What a group leader makes of its members' subscriptions.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kafka_fuzz::bounded(
    data,
    4096,
    1 << 20,
    kafka_proto::group::fuzz::balance
));
