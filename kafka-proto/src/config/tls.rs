//! TLS: whom to trust, what to show, and whose cryptography.

use std::{
    fmt, fs,
    path::Path,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

use crate::error::ConfigError;

/// Encrypts connections and verifies brokers, by rustls: TLS 1.2 and 1.3.
///
/// Brokers are verified against the roots of Mozilla, which are built in, unless other roots are given, and by the name that
/// was dialled or that a broker advertises. There is no way to verify nothing, except a `ClientConfig` of your own. All
/// connections of a client, and of all clients made with clones of this, share their sessions, so that most handshakes
/// are resumptions.
///
/// Cheap to clone. `Debug` shows nothing secret.
///
/// ```
/// use kafka_proto::config::TlsConfig;
///
/// # fn test(ca: &str, cert: &str, key: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let tls = TlsConfig::new().roots_pem(ca)?.client_auth_pem(cert, key)?;
/// # drop(tls);
/// # Ok(())
/// # }
/// ```
///
/// # Cryptography
///
/// The first of these that there is:
///
/// 1. what [`TlsConfig::crypto_provider`] was given, aws-lc-rs for FIPS, say;
/// 2. the default of the process ([`CryptoProvider::install_default`]);
/// 3. with the feature `tls-ring`: ring, which runs everywhere, and needs a C compiler to build;
/// 4. graviola, in Rust and assembler from formally verified sources that rustc alone builds. It needs x86-64 with AES,
///    PCLMULQDQ, AVX, AVX2, BMI1 and ADX (2014 and later), or 64-bit ARM with AES, SHA2, PMULL and NEON (no Raspberry Pi 4).
///    On other CPUs making a client is a [`ConfigError`] that says so. Its bignum and curve arithmetic is proven against
///    machine code; as a whole it had no independent audit.
///
/// Certificates are checked at the system's time, whatever clock drives the client.
#[derive(Clone)]
pub struct TlsConfig {
    roots: Roots,
    identity: Option<Arc<Identity>>,
    provider: Option<Arc<CryptoProvider>>,
    server_name: Option<ServerName<'static>>,
    /// Made by the first client and shared by clones, for the sake of resumption.
    made: Arc<OnceLock<Result<Arc<ClientConfig>, ConfigError>>>,
    /// The configuration is the user's, whole.
    given: bool,
}

#[derive(Clone)]
enum Roots {
    Bundled,
    #[cfg(feature = "native-roots")]
    Native,
    Given(Arc<RootCertStore>),
}

/// What a client shows of itself.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl TlsConfig {
    /// Trusts the roots of Mozilla, and shows no certificate.
    pub fn new() -> Self {
        Self {
            roots: Roots::Bundled,
            identity: None,
            provider: None,
            server_name: None,
            given: false,
            made: Arc::default(),
        }
    }

    /// Takes a configuration of rustls as it is: any roots, verifier, resolver of certificates or provider. Setting one of
    /// these on top is an error where the configuration is first used, since it would put the others aside.
    ///
    /// Its `max_fragment_size` is not used: what has left is counted in records of the common size.
    pub fn from_client_config(mut config: Arc<ClientConfig>) -> Self {
        if config.max_fragment_size.is_some() {
            Arc::make_mut(&mut config).max_fragment_size = None;
        }
        Self {
            given: true,
            made: Arc::new(OnceLock::from(Ok(config))),
            ..Self::new()
        }
    }

    /// Trusts the certificates of `pem`, and no others.
    ///
    /// # Errors
    ///
    /// There is no certificate, or one that cannot be read.
    #[doc(alias = "ssl.truststore.certificates")]
    #[doc(alias = "ssl.ca.pem")]
    pub fn roots_pem(self, pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let mut store = RootCertStore::empty();
        for certificate in certificates("roots_pem", pem.as_ref())? {
            store
                .add(certificate)
                .map_err(|e| ConfigError::new("roots_pem", e.to_string()))?;
        }
        Ok(self.with_roots(Roots::Given(Arc::new(store))))
    }

    /// Trusts the certificates of a PEM file, and no others. The file is read now.
    ///
    /// # Errors
    ///
    /// As [`TlsConfig::roots_pem`], or the file cannot be read.
    #[doc(alias = "ssl.truststore.location")]
    #[doc(alias = "ssl.ca.location")]
    pub fn roots_file(self, path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        self.roots_pem(read("roots_file", path.as_ref())?)
    }

    /// Trusts what the system trusts, and verifies as the system does where it has a verifier of its own (Windows, macOS,
    /// Android).
    #[cfg(feature = "native-roots")]
    pub fn native_roots(self) -> Self {
        self.with_roots(Roots::Native)
    }

    /// Shows brokers a certificate, which is what `ssl.client.auth` asks for: its chain, the client's own first, and its
    /// key (PKCS#8, PKCS#1 or SEC1). Both may be the same text.
    ///
    /// # Errors
    ///
    /// One of them is missing or cannot be read, or the key is encrypted: decrypt it first, `openssl pkey` does.
    #[doc(alias = "ssl.keystore.certificate.chain")]
    #[doc(alias = "ssl.keystore.key")]
    #[doc(alias = "ssl.certificate.pem")]
    #[doc(alias = "ssl.key.pem")]
    pub fn client_auth_pem(
        self,
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
        let chain = certificates("client_auth_pem", chain.as_ref())?;
        let key = private_key("client_auth_pem", key.as_ref())?;
        let identity = Some(Arc::new(Identity { chain, key }));
        Ok(Self {
            identity,
            made: Arc::default(),
            ..self
        })
    }

    /// As [`TlsConfig::client_auth_pem`], from files, which are read now.
    ///
    /// # Errors
    ///
    /// As there, or a file cannot be read.
    #[doc(alias = "ssl.keystore.location")]
    #[doc(alias = "ssl.certificate.location")]
    #[doc(alias = "ssl.key.location")]
    pub fn client_auth_files(
        self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, ConfigError> {
        let chain = read("client_auth_files", chain.as_ref())?;
        self.client_auth_pem(chain, read("client_auth_files", key.as_ref())?)
    }

    /// Has another library do the cryptography.
    pub fn crypto_provider(self, provider: Arc<CryptoProvider>) -> Self {
        Self {
            provider: Some(provider),
            made: Arc::default(),
            ..self
        }
    }

    /// Expects this name in every broker's certificate, whatever was dialled: for tunnels, and for a stream of your own.
    /// Default: the host that is dialled.
    ///
    /// # Errors
    ///
    /// It is neither a DNS name nor an IP address.
    pub fn server_name(self, name: &str) -> Result<Self, ConfigError> {
        let server_name = Some(server_name(name)?);
        Ok(Self {
            server_name,
            ..self
        })
    }

    /// The library that does the cryptography of a new configuration: the default of the process, or the one that is built
    /// in.
    ///
    /// # Errors
    ///
    /// There is none, and this CPU lacks what the one that is built in needs.
    pub fn default_provider() -> Result<Arc<CryptoProvider>, ConfigError> {
        default_provider()
    }

    fn with_roots(self, roots: Roots) -> Self {
        Self {
            roots,
            made: Arc::default(),
            ..self
        }
    }

    /// The configuration of rustls; made once.
    pub(crate) fn client_config(&self) -> Result<Arc<ClientConfig>, ConfigError> {
        self.made.get_or_init(|| self.make().map(Arc::new)).clone()
    }

    /// The name that a broker's certificate must bear.
    pub(crate) fn name_for(&self, host: &str) -> Result<ServerName<'static>, ConfigError> {
        match &self.server_name {
            Some(name) => Ok(name.clone()),
            None => server_name(host),
        }
    }

    fn make(&self) -> Result<ClientConfig, ConfigError> {
        if self.given {
            let reason = "roots, certificates and providers are part of what `from_client_config` was given: set them there";
            return Err(ConfigError::new("tls", reason));
        }
        let wrong = |e: rustls::Error| ConfigError::new("tls", e.to_string());
        let provider = match &self.provider {
            Some(provider) => provider.clone(),
            None => default_provider()?,
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(wrong)?;
        let builder = match &self.roots {
            Roots::Bundled => builder.with_root_certificates(RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.into(),
            }),
            Roots::Given(store) => builder.with_root_certificates(store.clone()),
            #[cfg(feature = "native-roots")]
            Roots::Native => {
                use rustls_platform_verifier::BuilderVerifierExt;
                builder.with_platform_verifier().map_err(wrong)?
            }
        };
        match &self.identity {
            None => Ok(builder.with_no_client_auth()),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|e| ConfigError::new("client_auth_pem", e.to_string())),
        }
    }
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("client_certificate", &self.identity.is_some())
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, ConfigError> {
    ServerName::try_from(name.to_owned()).map_err(|_| {
        let reason = format!(
            "{name:?} is neither a DNS name nor an IP address, so that no certificate can bear it"
        );
        ConfigError::new("server_name", reason)
    })
}

fn read(field: &'static str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    fs::read(path).map_err(|e| ConfigError::new(field, format!("{}: {e}", path.display())))
}

fn certificates(
    field: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let all = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(ConfigError::new(
            field,
            "there is no certificate in PEM form",
        )),
        // what is wrong with it would show the text, which may hold a key
        Err(_) => Err(ConfigError::new(
            field,
            "this is no PEM: each part begins and ends with a line of its own, by real line breaks",
        )),
    }
}

/// Errors say nothing of the text: it may be a key.
fn private_key(field: &'static str, pem: &[u8]) -> Result<PrivateKeyDer<'static>, ConfigError> {
    let has = |mark: &[u8]| pem.windows(mark.len()).any(|window| window == mark);
    if has(b"ENCRYPTED PRIVATE KEY") || has(b"4,ENCRYPTED") {
        let reason = "the key is encrypted, which is not supported: decrypt it first \
                      (openssl pkey -in encrypted.pem -out key.pem)";
        return Err(ConfigError::new(field, reason));
    }
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| ConfigError::new(field, "there is no private key in PEM form"))
}

/// The process's provider, or the one that is built in.
fn default_provider() -> Result<Arc<CryptoProvider>, ConfigError> {
    match CryptoProvider::get_default() {
        Some(provider) => Ok(provider.clone()),
        None => bundled_provider(),
    }
}

#[cfg(feature = "tls-ring")]
#[allow(
    clippy::unnecessary_wraps,
    reason = "the other providers do not run everywhere"
)]
fn bundled_provider() -> Result<Arc<CryptoProvider>, ConfigError> {
    Ok(Arc::new(rustls::crypto::ring::default_provider()))
}

#[cfg(all(
    not(feature = "tls-ring"),
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
fn bundled_provider() -> Result<Arc<CryptoProvider>, ConfigError> {
    match graviola::util::is_cpu_supported() {
        true => Ok(Arc::new(rustls_graviola::default_provider())),
        false => Err(no_provider()),
    }
}

#[cfg(not(any(feature = "tls-ring", target_arch = "x86_64", target_arch = "aarch64")))]
fn bundled_provider() -> Result<Arc<CryptoProvider>, ConfigError> {
    Err(no_provider())
}

#[cfg(not(feature = "tls-ring"))]
fn no_provider() -> ConfigError {
    ConfigError::new(
        "crypto_provider",
        "this CPU lacks instructions that the built-in cryptography (graviola) needs: build with the feature `tls-ring`, or \
         give a provider of your own",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Properties files and environments often hold a PEM without its line breaks.
    #[test]
    fn a_pem_that_cannot_be_read_is_not_shown() {
        let one_line = "-----BEGIN PRIVATE KEY-----\\nSECRETSECRET\\n-----END PRIVATE KEY-----\\n";
        let refused = [
            TlsConfig::new().client_auth_pem(one_line, one_line),
            TlsConfig::new().roots_pem(one_line),
        ];
        let bytes = format!("{:?}", b"SECRET");
        for error in refused.map(|r| r.expect_err("no PEM")) {
            let text = error.to_string();
            assert!(text.contains("line breaks"), "{text}");
            assert!(!text.contains("SECRET") && !text.contains(bytes.trim_matches(['[', ']'])));
        }
    }

    #[test]
    fn a_whole_configuration_is_not_put_aside_by_a_part_and_counts_common_records() {
        let mut whole = TlsConfig::new().make().expect("a provider");
        whole.max_fragment_size = Some(1024);
        let whole = TlsConfig::from_client_config(Arc::new(whole));
        let config = whole.client_config().expect("as it was given");
        assert_eq!(config.max_fragment_size, None);
        let provider = default_provider().expect("a provider");
        let error = whole.crypto_provider(provider).client_config();
        assert_eq!(error.expect_err("a part of it").field(), "tls");
    }
}
