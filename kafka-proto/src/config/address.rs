//! Where a broker listens.

use std::fmt;

use crate::error::ConfigError;

/// A host and a port, not looked up yet.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Address {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl Address {
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
        let port = match port {
            None => 9092,
            Some(port) => port
                .parse()
                .ok()
                .filter(|p| *p != 0)
                .ok_or_else(|| wrong("the port is not 1 to 65535"))?,
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
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
