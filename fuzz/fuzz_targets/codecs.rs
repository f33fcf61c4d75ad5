//! Compressed data of all codecs, and their round trips: among them the xerial framing of snappy and the frames of lz4.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kafka_proto::record::fuzz::codec(data));
