//! A setting that cannot be.

use std::borrow::Cow;

use thiserror::Error;

/// A setting that cannot be, found when a handle is made: nothing was sent.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{field}: {reason}")]
pub struct ConfigError {
    field: &'static str,
    reason: Cow<'static, str>,
}

impl ConfigError {
    pub(crate) fn new(field: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field,
            reason: reason.into(),
        }
    }

    /// The setter whose value is wrong.
    pub fn field(&self) -> &'static str {
        self.field
    }
}
