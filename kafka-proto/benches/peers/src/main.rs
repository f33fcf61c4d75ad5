//! What `kafka-proto` and `kafka-protocol` take for the same work, paired in one run.
//!
//! Both get the same bytes, and must come to the same: each row begins with a comparison. Then they take turns, round by
//! round, so that whatever else the machine does falls on both. A round is as many calls as last about two milliseconds; what
//! a call made is dropped within it.
//!
//!     cargo run --release --manifest-path kafka-proto/benches/peers/Cargo.toml [-- WORD] [--rounds N]
//!
//! A word runs only the rows whose name contains it.

#![allow(clippy::disallowed_methods, reason = "it measures time")]

mod messages;
mod pair;
mod records;

use pair::Table;

fn main() {
    let mut word = String::new();
    let mut rounds = 200;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--rounds" => {
                let number = args.next().and_then(|n| n.parse().ok());
                rounds = number.expect("a number of rounds");
            }
            _ => word = arg,
        }
    }
    let mut table = Table::new(word, rounds);
    messages::rows(&mut table);
    records::rows(&mut table);
}
