//! TLS for the in-process broker: what it shows, and whom it wants to see.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, Read, Write},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use kafka_proto::config::TlsConfig;
use rustls::{
    RootCertStore, ServerConfig, ServerConnection,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

use crate::{broker::Frames, certificates};

/// How the in-process broker speaks TLS, for [`Server::start_tls`](crate::server::Server::start_tls).
#[derive(Clone)]
#[must_use]
pub struct Tls(Arc<ServerConfig>);

impl Tls {
    /// Shows [`certificates::BROKER`], and wants to see nothing.
    ///
    /// # Panics
    ///
    /// If this CPU lacks what the built-in cryptography needs.
    pub fn new() -> Self {
        Self::showing(certificates::BROKER)
    }

    /// Shows the certificate of `pem`, which holds its key, too.
    ///
    /// # Panics
    ///
    /// If there is none, or this CPU lacks what the built-in cryptography needs.
    #[track_caller]
    pub fn showing(pem: &str) -> Self {
        Self::build(pem, None)
    }

    /// Shows [`certificates::BROKER`], and wants a certificate of a client that comes from the authority `ca`.
    ///
    /// # Panics
    ///
    /// As [`Tls::showing`].
    #[track_caller]
    pub fn asking(ca: &str) -> Self {
        Self::build(certificates::BROKER, Some(ca))
    }

    /// Takes a configuration of rustls as it is.
    pub fn from_server_config(config: Arc<ServerConfig>) -> Self {
        Self(config)
    }

    #[track_caller]
    fn build(pem: &str, ca: Option<&str>) -> Self {
        let provider = TlsConfig::default_provider().expect("cryptography for this CPU");
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("versions that the provider knows");
        let builder = match ca {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(chain(ca));
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.expect("an authority"))
            }
        };
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a key in PEM form");
        let config = builder.with_single_cert(chain(pem), key);
        Self(Arc::new(config.expect("a key that fits its certificate")))
    }

    pub(crate) fn session(&self) -> io::Result<Session> {
        let connection = ServerConnection::new(self.0.clone()).map_err(io::Error::other)?;
        Ok(Session(Mutex::new(connection)))
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

#[track_caller]
fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>();
    chain.expect("certificates in PEM form")
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Session(Mutex<ServerConnection>);

impl Session {
    /// Opens what came from the socket; returns how many bytes of frames that gave.
    pub(crate) fn open(&self, mut ciphertext: &[u8], frames: &mut Frames) -> io::Result<usize> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = 0;
        while !ciphertext.is_empty() {
            connection.read_tls(&mut ciphertext)?;
            let state = connection.process_new_packets();
            let state = state.map_err(io::Error::other)?;
            let mut left = state.plaintext_bytes_to_read();
            while left > 0 {
                let n = connection.reader().read(frames.space())?;
                frames.filled(n);
                (bytes, left) = (bytes + n, left - n);
            }
            if state.peer_has_closed() {
                break;
            }
        }
        Ok(bytes)
    }

    /// Seals frames, and whatever else there is to say.
    pub(crate) fn seal(&self, frames: VecDeque<Bytes>) -> io::Result<Vec<u8>> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ciphertext = Vec::new();
        for frame in frames {
            let mut rest = &frame[..];
            // what the connection keeps ready is limited, so that it is taken in between
            while !rest.is_empty() {
                let n = connection.writer().write(rest)?;
                rest = &rest[n..];
                while connection.wants_write() {
                    connection.write_tls(&mut ciphertext)?;
                }
            }
        }
        while connection.wants_write() {
            connection.write_tls(&mut ciphertext)?;
        }
        Ok(ciphertext)
    }
}
