//! What goes wrong, whose fault it is, whether to try again, and what became of the data.

mod code;
#[cfg(feature = "sasl")]
mod config;
#[cfg(feature = "client")]
mod failure;
#[cfg(feature = "client")]
mod write;

pub use crate::wire::{DecodeError, DecodeErrorKind};
pub use code::ErrorCode;
#[cfg(feature = "sasl")]
pub use config::ConfigError;
#[cfg(feature = "client")]
pub use failure::{Error, ErrorKind, Fault, Outcome, Scope};
#[cfg(feature = "client")]
pub use write::{Undelivered, UndeliveredMessage, WriteError, Written};
