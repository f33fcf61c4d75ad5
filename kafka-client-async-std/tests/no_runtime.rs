//! Built for no runtime, the crate asks for one.
#![cfg(not(any(feature = "async-std", feature = "smol")))]

use futures_lite::future::block_on;
use kafka_client_async_std::{Dialer, ErrorKind, connect};

#[test]
fn without_a_runtime_connecting_is_an_error_with_its_cure() {
    let error = block_on(connect("localhost:9092")).expect_err("nothing to run on");
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert!(error.to_string().contains("Dialer::spawner"), "{error}");

    let dialer = Dialer::new();
    let error = dialer.connect_lazy("localhost:9092").expect_err("nothing");
    assert_eq!(error.kind(), ErrorKind::Misuse);
    let error = block_on(dialer.dial("localhost:9092")).expect_err("nothing");
    assert_eq!(error.kind(), ErrorKind::Misuse);
}
