//! What goes wrong, whose fault it is, whether to try again, and what became of the data.

mod code;
mod config;
mod failure;
mod write;

pub use crate::wire::{DecodeError, DecodeErrorKind};
pub use code::ErrorCode;
pub use config::ConfigError;
pub use failure::{Error, ErrorKind, Fault, Outcome, Scope};
pub use write::{Undelivered, UndeliveredMessage, WriteError, Written};
