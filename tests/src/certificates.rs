//! Certificates for tests, with their keys, in PEM form. They are public: trust none of them anywhere else.
//!
//! All but those that say otherwise come from [`CA`], are for `localhost`, `127.0.0.1` and `::1`, and are good until 2100.

/// The authority.
pub const CA: &str = include_str!("../data/tls/ca.pem");
/// Another one.
pub const OTHER_CA: &str = include_str!("../data/tls/other-ca.pem");
/// A broker's key and certificate.
pub const BROKER: &str = include_str!("../data/tls/broker.pem");
/// The same as a PKCS12 store with the password `changeit`, for old brokers.
pub const BROKER_P12: &[u8] = include_bytes!("../data/tls/broker.p12");
/// [`CA`] as a PKCS12 store with the password `changeit`.
pub const TRUST_P12: &[u8] = include_bytes!("../data/tls/trust.p12");
/// A client's key and certificate; brokers see it as `User:O=test,CN=client` read backwards.
pub const CLIENT: &str = include_str!("../data/tls/client.pem");
/// The key of [`CLIENT`], encrypted.
pub const CLIENT_ENCRYPTED: &str = include_str!("../data/tls/client-encrypted.pem");
/// Of a broker, until 2021.
pub const EXPIRED: &str = include_str!("../data/tls/expired.pem");
/// Of a broker, from 2090 on.
pub const NOT_YET_VALID: &str = include_str!("../data/tls/future.pem");
/// Of a broker at `kafka.example` alone.
pub const ELSEWHERE: &str = include_str!("../data/tls/elsewhere.pem");
/// Of a broker or a client, by [`OTHER_CA`].
pub const STRANGER: &str = include_str!("../data/tls/stranger.pem");
