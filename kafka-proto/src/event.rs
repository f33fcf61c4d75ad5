//! What happens to a client and its connections, for logs, metrics and whoever else wants to know.

use std::{fmt, sync::Arc, time::Duration};

use crate::error::Error;

/// Something that happened to a client. Never carries payload or secrets.
///
/// Events that a broken network repeats come at most once a second for each kind and broker: `unreported` says how many
/// of the kind were left out before this one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A broker answered the handshake of a new connection.
    Connected {
        /// Its address.
        peer: Arc<str>,
    },
    /// A connection ended that had been ready, other than by our closing it.
    Disconnected {
        /// Its address.
        peer: Arc<str>,
        /// Why.
        error: Error,
        /// How many of the kind were left out before this one.
        unreported: u64,
    },
    /// A connection could not be made: lookup, connect or handshake failed. It is tried again after a pause.
    Unreachable {
        /// The address.
        peer: Arc<str>,
        /// Why.
        error: Error,
        /// How many of the kind were left out before this one.
        unreported: u64,
    },
    /// A broker says that a quota is used up: nothing is sent on the connection for that long (KIP-219).
    Throttled {
        /// Its address.
        peer: Arc<str>,
        /// For how long.
        time: Duration,
        /// How many of the kind were left out before this one.
        unreported: u64,
    },
    /// A broker of the configuration answered where none of the known ones did (KIP-899), or where they asked for that
    /// (KIP-1102): the cluster is learned anew from it.
    Rebootstrapped,
    /// The last clone of a writer was dropped without `Writer::close`, and records had no outcome yet. They are delivered
    /// as long as the runtime and the process live.
    WriterDropped {
        /// How many records.
        pending: usize,
    },
}

impl Event {
    /// Whether somebody may have to do something about it.
    pub fn is_error(&self) -> bool {
        match self {
            Self::Disconnected { .. } | Self::Unreachable { .. } | Self::WriterDropped { .. } => {
                true
            }
            Self::Connected { .. } | Self::Throttled { .. } | Self::Rebootstrapped => false,
        }
    }

    /// Writes it to the log of the process, by the feature `tracing`.
    #[cfg(feature = "tracing")]
    fn trace(&self) {
        match self.is_error() {
            true => tracing::warn!(target: "kafka", "{self}"),
            false => tracing::info!(target: "kafka", "{self}"),
        }
    }
}

/// One line of text, as for a log.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unreported = match self {
            Self::Connected { peer } => return write!(f, "connected to {peer}"),
            Self::Rebootstrapped => {
                return f.write_str("the known brokers are gone: learning the cluster anew");
            }
            Self::WriterDropped { pending } => {
                return write!(f, "a writer was dropped with {pending} records pending");
            }
            Self::Disconnected {
                peer,
                error,
                unreported,
            } => {
                write!(f, "disconnected from {peer}: {error}")?;
                unreported
            }
            Self::Unreachable {
                peer,
                error,
                unreported,
            } => {
                write!(f, "cannot reach {peer}: {error}")?;
                unreported
            }
            Self::Throttled {
                peer,
                time,
                unreported,
            } => {
                write!(f, "{peer} throttles this client for {time:?}")?;
                unreported
            }
        };
        match unreported {
            0 => Ok(()),
            n => write!(f, " (and {n} more before)"),
        }
    }
}

/// Functions of the user that are told of events.
#[derive(Clone, Default)]
pub(crate) struct Loggers {
    pub(crate) all: Option<Arc<Logger>>,
    /// Gets the errors in place of `all`.
    pub(crate) errors: Option<Arc<Logger>>,
}

pub(crate) type Logger = dyn Fn(&Event) + Send + Sync;

impl Loggers {
    pub(crate) fn tell(&self, event: &Event) {
        #[cfg(feature = "tracing")]
        event.trace();
        let errors = self.errors.as_ref().filter(|_| event.is_error());
        if let Some(logger) = errors.or(self.all.as_ref()) {
            logger(event);
        }
    }
}

impl fmt::Debug for Loggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loggers")
            .field("all", &self.all.is_some())
            .field("errors", &self.errors.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::error::ErrorKind;

    fn unreachable(unreported: u64) -> Event {
        Event::Unreachable {
            peer: "kafka:9092".into(),
            error: Error::new(ErrorKind::Unreachable, "connecting failed"),
            unreported,
        }
    }

    #[test]
    fn an_event_is_one_line_and_says_what_was_left_out() {
        let text = unreachable(0).to_string();
        assert_eq!(text, "cannot reach kafka:9092: connecting failed");
        let text = unreachable(3).to_string();
        assert!(text.ends_with("(and 3 more before)"), "{text}");
    }

    /// Acceptance RC-17, RC-18: without a logger for errors, the other one gets them.
    #[test]
    fn errors_go_to_their_own_logger_if_there_is_one() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let logger = |name: &'static str| -> Option<Arc<Logger>> {
            let told = told.clone();
            Some(Arc::new(move |event: &Event| {
                told.lock().expect("alone").push((name, event.is_error()));
            }))
        };
        let (all, errors) = (logger("all"), logger("errors"));
        let told_by = |all: &Option<Arc<Logger>>, errors: &Option<Arc<Logger>>| {
            let loggers = Loggers {
                all: all.clone(),
                errors: errors.clone(),
            };
            loggers.tell(&unreachable(0));
            loggers.tell(&Event::Rebootstrapped);
            std::mem::take(&mut *told.lock().expect("alone"))
        };
        assert_eq!(told_by(&None, &None), []);
        assert_eq!(told_by(&all, &None), [("all", true), ("all", false)]);
        assert_eq!(told_by(&all, &errors), [("errors", true), ("all", false)]);
        assert_eq!(told_by(&None, &errors), [("errors", true)]);
    }
}
