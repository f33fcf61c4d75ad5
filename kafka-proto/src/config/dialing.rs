//! Settings of a connection's socket, and of the way to it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::Config;
use crate::{error::ConfigError, machine::dial::Pace};

/// How connections are made: what an adapter goes by.
#[derive(Clone, Debug)]
pub struct Dialing {
    pub(super) deadline: Option<Instant>,
    pub(super) local_addr: Option<SocketAddr>,
    pub(super) dual_stack: bool,
    pub(super) fallback_delay: Duration,
    pub(super) keep_alive: Option<Duration>,
    pub(super) no_delay: bool,
}

impl Default for Dialing {
    fn default() -> Self {
        Self {
            deadline: None,
            local_addr: None,
            dual_stack: true,
            fallback_delay: Duration::from_millis(250),
            keep_alive: None,
            no_delay: true,
        }
    }
}

impl Dialing {
    /// In which pace to try the addresses of a host.
    pub fn pace(&self) -> Pace {
        match self.dual_stack {
            true => Pace::Race(self.fallback_delay),
            false => Pace::InTurn,
        }
    }

    /// The address to bind the socket to before it connects.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// How long a connection is silent before the system asks whether the peer is there.
    pub fn keep_alive(&self) -> Option<Duration> {
        self.keep_alive
    }

    /// Whether small writes leave at once.
    pub fn no_delay(&self) -> bool {
        self.no_delay
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.keep_alive.is_some_and(|t| t < Duration::from_secs(1)) {
            return Err(ConfigError::new("keep_alive", "must be at least 1 s"));
        }
        if self.fallback_delay < Duration::from_millis(10) {
            // RFC 8305, 8: the least that does not flood a network
            return Err(ConfigError::new("fallback_delay", "must be at least 10 ms"));
        }
        Ok(())
    }
}

impl Config {
    /// Sets a moment after which no connection is made: lookup, connect and handshake end by then, or by
    /// [`setup_timeout`](Self::setup_timeout), whichever comes first. Default: none.
    #[doc(alias = "Deadline")]
    pub fn dial_deadline(mut self, at: Option<Instant>) -> Self {
        self.dialing.deadline = at;
        self
    }

    /// The local address that connections come from; port 0 takes any. Addresses of the other family are then not tried.
    /// Default: the system's choice.
    #[doc(alias = "LocalAddr")]
    pub fn local_addr(mut self, address: Option<SocketAddr>) -> Self {
        self.dialing.local_addr = address;
        self
    }

    /// Whether the addresses of a host are tried almost at once, families alternating (RFC 8305), and the first to connect
    /// is taken. Otherwise each has its share of the time. Default: yes.
    #[doc(alias = "DualStack")]
    pub fn dual_stack(mut self, race: bool) -> Self {
        self.dialing.dual_stack = race;
        self
    }

    /// How long the first address is waited for before the next is tried beside it. Default: 250 ms (RFC 8305).
    #[doc(alias = "FallbackDelay")]
    pub fn fallback_delay(mut self, delay: Duration) -> Self {
        self.dialing.fallback_delay = delay;
        self
    }

    /// How long a connection is silent before the system asks whether the peer is still there; `None` never asks. The
    /// client finds dead peers by its request time-outs; this is for what drops silent connections on the way.
    /// Default: none.
    #[doc(alias = "KeepAlive")]
    #[doc(alias = "socket.keepalive.enable")]
    pub fn keep_alive(mut self, silence: Option<Duration>) -> Self {
        self.dialing.keep_alive = silence;
        self
    }

    /// Whether small writes leave at once (`TCP_NODELAY`). Requests are written whole, so waiting for more only costs
    /// time. Default: yes.
    #[doc(alias = "socket.nagle.disable")]
    pub fn no_delay(mut self, at_once: bool) -> Self {
        self.dialing.no_delay = at_once;
        self
    }

    /// How connections are made: what an adapter goes by.
    pub fn dialing(&self) -> &Dialing {
        &self.dialing
    }

    /// When a connection that is begun now must be ready: what an adapter sleeps by.
    pub fn setup_deadline(&self, now: Instant) -> Instant {
        let limit = now + self.setup_timeout;
        self.dialing.deadline.map_or(limit, |at| at.min(limit))
    }
}

/// The settings that the dialers of all adapters share, as methods of theirs; they keep a [`Config`] in `config`.
#[doc(hidden)]
#[macro_export]
macro_rules! dialer_settings {
    () => {
        /// Sets the name under which the client appears in the broker's logs, quotas and metrics. Default: what
        /// [`default_client_id`] makes.
        ///
        /// Source: acceptance DI-01.
        #[doc(alias = "ClientID")]
        pub fn client_id(self, id: impl Into<String>) -> Self {
            self.configure(|config| config.client_id(id))
        }

        /// Encrypts connections and verifies brokers. Default: neither.
        ///
        /// Source: acceptance DI-09.
        #[cfg(feature = "tls")]
        #[doc(alias = "TLS")]
        pub fn tls(self, tls: $crate::config::TlsConfig) -> Self {
            self.configure(|config| config.tls(tls))
        }

        /// Authenticates on every connection. Default: on none.
        #[doc(alias = "SASLMechanism")]
        pub fn sasl(self, sasl: $crate::config::Sasl) -> Self {
            self.configure(|config| config.sasl(sasl))
        }

        /// The defaults, and on top of them the security settings of the Java client or of librdkafka, as they stand in a
        /// `client.properties`: `Config::from_properties` lists them.
        ///
        /// # Errors
        ///
        /// As there: a name that is not listed, or a value that cannot be.
        pub fn from_properties<K: AsRef<str>, V: AsRef<str>>(
            properties: impl IntoIterator<Item = (K, V)>,
        ) -> Result<Self, $crate::error::ConfigError> {
            let dialer = Self::new();
            let config = dialer.config.clone().properties(properties)?;
            Ok(dialer.configure(|_| config))
        }

        /// Sets how long lookup, connect, TLS, handshake and authentication of one connection may take, all together.
        /// Default: 10 s.
        ///
        /// Source: acceptance DI-02, 2.0 #13.
        #[doc(alias = "Timeout")]
        pub fn timeout(self, limit: ::std::time::Duration) -> Self {
            self.configure(|config| config.setup_timeout(limit))
        }

        /// Sets a moment after which no connection is made; the earlier of it and [`timeout`](Self::timeout) holds.
        /// Default: none.
        ///
        /// Source: acceptance DI-03.
        #[doc(alias = "Deadline")]
        pub fn deadline(self, at: ::std::time::Instant) -> Self {
            self.configure(|config| config.dial_deadline(Some(at)))
        }

        /// Sets the local address that connections come from; port 0 takes any. Addresses of the other family are then
        /// not tried. Default: the system's choice.
        ///
        /// Source: acceptance DI-04.
        #[doc(alias = "LocalAddr")]
        pub fn local_addr(self, address: ::std::net::SocketAddr) -> Self {
            self.configure(|config| config.local_addr(Some(address)))
        }

        /// Sets whether the addresses of a host are tried almost at once, IPv6 and IPv4 in turn, and the first to connect
        /// is taken (RFC 8305). Otherwise each has its share of the time. Default: yes.
        ///
        /// Source: acceptance DI-05.
        #[doc(alias = "DualStack")]
        #[doc(alias = "happy eyeballs")]
        pub fn dual_stack(self, race: bool) -> Self {
            self.configure(|config| config.dual_stack(race))
        }

        /// Sets how long one address is waited for before the next is tried beside it. Default: 250 ms.
        ///
        /// Source: acceptance DI-06, where it is 300 ms; RFC 8305 recommends 250 ms.
        #[doc(alias = "FallbackDelay")]
        pub fn fallback_delay(self, delay: ::std::time::Duration) -> Self {
            self.configure(|config| config.fallback_delay(delay))
        }

        /// Sets how long a connection is silent before the system asks whether the peer is still there, for what drops
        /// silent connections on the way. The client finds dead peers by its request time-outs. Default: it never asks.
        ///
        /// Source: acceptance DI-07.
        #[doc(alias = "KeepAlive")]
        #[doc(alias = "socket.keepalive.enable")]
        pub fn keep_alive(self, silence: ::std::time::Duration) -> Self {
            self.configure(|config| config.keep_alive(Some(silence)))
        }

        /// Sets whether small writes leave at once. Requests are written whole, so waiting for more only costs time.
        /// Default: yes.
        #[doc(alias = "TCP_NODELAY")]
        pub fn no_delay(self, at_once: bool) -> Self {
            self.configure(|config| config.no_delay(at_once))
        }

        /// Has each event of a client told to a function, which must neither block nor panic; `Client::events` gives
        /// the same as a stream. Default: none.
        ///
        /// Source: acceptance RC-17, WC-15.
        #[doc(alias = "Logger")]
        pub fn logger(self, log: impl Fn(&$crate::client::Event) + Send + Sync + 'static) -> Self {
            self.configure(|config| config.logger(log))
        }

        /// Has the events that are errors told to another function than [`logger`](Self::logger). Default: to that one.
        ///
        /// Source: acceptance RC-18, WC-16.
        #[doc(alias = "ErrorLogger")]
        pub fn error_logger(
            self,
            log: impl Fn(&$crate::client::Event) + Send + Sync + 'static,
        ) -> Self {
            self.configure(|config| config.error_logger(log))
        }

        /// Changes the settings of the client that are not about connecting.
        pub fn configure(
            self,
            change: impl FnOnce($crate::config::Config) -> $crate::config::Config,
        ) -> Self {
            Self {
                config: change(self.config),
                ..self
            }
        }
    };
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "a moment to begin at; nothing here waits"
)]
mod tests {
    use super::*;

    /// CT-10: ten seconds for a dial, and both families at once; DI-03: a deadline that is earlier holds.
    #[test]
    fn a_dial_has_ten_seconds_and_races_the_families_unless_told_otherwise() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let config = Config::without_brokers();
        assert_eq!(config.setup_deadline(now), now + 10 * second);
        assert_eq!(config.dialing().pace(), Pace::Race(second / 4));
        assert_eq!(config.dialing().local_addr(), None);
        assert_eq!(config.dialing().keep_alive(), None);
        assert!(config.dialing().no_delay());
        let sooner = config.clone().dial_deadline(Some(now + second));
        assert_eq!(sooner.setup_deadline(now), now + second);
        let later = config.dial_deadline(Some(now + 60 * second));
        assert_eq!(later.setup_deadline(now), now + 10 * second);
    }
}
