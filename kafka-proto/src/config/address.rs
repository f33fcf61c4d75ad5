//! Where a broker listens.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    io,
    net::{IpAddr, SocketAddr},
};

use crate::error::ConfigError;

const DEFAULT_PORT: u16 = 9092;

/// A host and a port, not looked up yet.
#[derive(Clone, Debug)]
pub struct Address {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Nobody named the port, so a resolver may.
    port_is_default: bool,
}

impl Address {
    /// This host and this port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            port_is_default: false,
        }
    }

    /// Reads `host:port`, `host` (port 9092), `1.2.3.4:port`, `[::1]:port`.
    ///
    /// # Errors
    ///
    /// No host, no valid port, or an IPv6 address without brackets.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let wrong =
            |why: &str| ConfigError::new("brokers", format!("{text:?} is not host:port: {why}"));
        let text = text.trim();
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest
                    .split_once(']')
                    .ok_or_else(|| wrong("the bracket is not closed"))?;
                let port = match rest {
                    "" => None,
                    rest => Some(
                        rest.strip_prefix(':')
                            .ok_or_else(|| wrong("after the bracket comes :port"))?,
                    ),
                };
                (host, port)
            }
            None => match text.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return Err(wrong("an IPv6 address goes in brackets"));
                }
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err(wrong("the host is empty"));
        }
        if host.contains(char::is_whitespace) {
            return Err(wrong("a host has no spaces"));
        }
        if host.contains("://") || host.contains('/') {
            return Err(wrong("a scheme or path has no place here"));
        }
        let port_is_default = port.is_none();
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => port
                .parse()
                .ok()
                .filter(|p| *p != 0)
                .ok_or_else(|| wrong("the port is not 1 to 65535"))?,
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            port_is_default,
        })
    }

    /// The address, if the host is an IP address: nothing is to be looked up.
    pub fn literal(&self) -> Option<SocketAddr> {
        self.host
            .parse::<IpAddr>()
            .ok()
            .map(|ip| SocketAddr::new(ip, self.port))
    }

    /// The addresses that a resolver found for the host: `ip`, `ip:port` or `[ip]:port` each. The port of this address
    /// wins; one that was found is taken only where this one was not named.
    ///
    /// Source: acceptance TY-11, 2.2.
    ///
    /// # Errors
    ///
    /// Nothing was found, or something that is no IP address.
    pub fn resolved<S: AsRef<str>>(&self, found: &[S]) -> io::Result<Vec<SocketAddr>> {
        let each = |text: &S| {
            let text = text.as_ref();
            let ip = text.trim_start_matches('[').trim_end_matches(']');
            match (ip.parse::<IpAddr>(), text.parse::<SocketAddr>()) {
                (Ok(ip), _) => Ok(SocketAddr::new(ip, self.port)),
                (Err(_), Ok(mut address)) => {
                    if !self.port_is_default {
                        address.set_port(self.port);
                    }
                    Ok(address)
                }
                _ => Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "the resolver found {text:?} for {}, which is no IP address",
                        self.host
                    ),
                )),
            }
        };
        let all = found.iter().map(each).collect::<io::Result<Vec<_>>>()?;
        match all.is_empty() {
            true => Err(self.unknown()),
            false => Ok(all),
        }
    }

    /// The error of a host that has no address.
    pub fn unknown(&self) -> io::Error {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("the name {} has no address", self.host),
        )
    }

    fn key(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    pub(crate) fn list(text: &str) -> Result<Vec<Self>, ConfigError> {
        let entries = text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        let list = entries.map(Self::parse).collect::<Result<Vec<_>, _>>()?;
        if list.is_empty() {
            return Err(ConfigError::new(
                "brokers",
                "no broker is named: give host:port, several separated by commas",
            ));
        }
        Ok(list)
    }
}

// where a port comes from makes no other address of it
impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Address {}

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Address {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_default_ports_are_read() {
        for (text, host, port) in [
            ("kafka", "kafka", 9092),
            (" kafka:29092 ", "kafka", 29092),
            ("10.0.0.1:1", "10.0.0.1", 1),
            ("[::1]:9093", "::1", 9093),
            ("[fe80::1]", "fe80::1", 9092),
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!((address.host.as_str(), address.port), (host, port));
            assert_eq!(Address::parse(&address.to_string()), Ok(address));
        }
        assert_eq!(Address::list("a, b:1 ,").expect("two").len(), 2);
    }

    /// Acceptance TY-11, DI-08, and the four stories of a resolver in section 5.
    #[test]
    fn the_port_of_the_address_wins_over_the_one_that_a_resolver_found() {
        let found = ["10.0.0.1", "10.0.0.2:9999", "::1", "[::1]:9999", "[::2]"];
        let resolved = |text: &str| {
            let address = Address::parse(text).expect(text);
            let all = address.resolved(&found).expect("addresses");
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let expected = ["10.0.0.1:1", "10.0.0.2:1", "[::1]:1", "[::1]:1", "[::2]:1"];
        assert_eq!(resolved("kafka:1"), expected);
        let expected = [
            "10.0.0.1:9092",
            "10.0.0.2:9999",
            "[::1]:9092",
            "[::1]:9999",
            "[::2]:9092",
        ];
        assert_eq!(resolved("kafka"), expected);
    }

    #[test]
    fn a_resolver_that_finds_nothing_or_nonsense_is_told_so() {
        let address = Address::parse("kafka").expect("an address");
        let error = address.resolved::<&str>(&[]).expect_err("nothing");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let error = address
            .resolved(&["10.0.0.1", "kafka-1"])
            .expect_err("a name");
        assert!(error.to_string().contains("\"kafka-1\""), "{error}");
    }

    #[test]
    fn what_is_no_address_is_an_error_that_names_the_setting() {
        for text in [
            "",
            ",",
            ":9092",
            "a:0",
            "a:65536",
            "a:b",
            "a b:1",
            "::1",
            "[::1",
            "[::1]9092",
            "http://a:80",
            "PLAINTEXT://a",
        ] {
            let error = Address::list(text).expect_err(text);
            assert_eq!(error.field(), "brokers");
        }
    }
}
