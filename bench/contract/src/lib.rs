//! What every benchmark program in Rust shares. `docs/performance.md` has the contract in words.

mod args;
mod data;
mod report;

pub use args::{Api, Args, Codec, Mode};
pub use data::{Pool, digest, stamp, touch, unstamp};
pub use report::{Latencies, Report, Span, skip};
