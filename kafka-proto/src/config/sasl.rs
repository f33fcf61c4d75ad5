//! Who a client is: SASL credentials, and where they come from.

use std::{error::Error as StdError, fmt, future::Future, pin::Pin, sync::Arc};

use crate::{
    error::ConfigError,
    sasl::{Mechanism, OauthBearer, Plain, Scram, ScramHash},
};

/// Proves to each broker who the client is, on every connection, and again before a session ends (KIP-368).
///
/// Cheap to clone. `Debug` shows the mechanism and nothing secret.
///
/// ```
/// use kafka_proto::config::Sasl;
///
/// let sasl = Sasl::scram_sha512("alice", "secret");
/// assert_eq!(format!("{sasl:?}"), "Sasl(SCRAM-SHA-512)");
/// ```
///
/// Without TLS, whoever sits between reads what PLAIN and OAUTHBEARER send, and may guess passwords from what SCRAM sends.
///
/// Source: KIP-43, KIP-84, KIP-255, KIP-368; acceptance SE-01..20.
#[derive(Clone)]
pub struct Sasl(Arc<Source>);

enum Source {
    Fixed(Arc<dyn Mechanism>),
    Provider(String, Box<Provide>),
}

/// What a provider may fail with.
pub(crate) type AnyError = Box<dyn StdError + Send + Sync>;

/// Credentials on their way.
pub(crate) type Providing =
    Pin<Box<dyn Future<Output = Result<Arc<dyn Mechanism>, AnyError>> + Send>>;

type Provide = dyn Fn() -> Providing + Send + Sync;

impl Sasl {
    /// PLAIN: sends user and password as they are. Over TLS only.
    ///
    /// # Errors
    ///
    /// One of them holds a zero byte, which separates them.
    pub fn plain(
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let plain = Plain::new(user, password);
        plain
            .map(Self::mechanism)
            .map_err(|e| ConfigError::new("sasl", e.to_string()))
    }

    /// SCRAM-SHA-256: proves to know the password, without sending it, and has the broker prove the same.
    pub fn scram_sha256(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self::mechanism(Scram::new(ScramHash::Sha256, user, password))
    }

    /// SCRAM-SHA-512, the better choice of the two.
    pub fn scram_sha512(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self::mechanism(Scram::new(ScramHash::Sha512, user, password))
    }

    /// OAUTHBEARER, with tokens from `provider`, which is asked before each authentication: cache there what lives longer.
    ///
    /// The connection itself polls the future, wherever its runtime polls the connection, so that a provider may use what
    /// that runtime offers; a client of plain threads polls it on the thread that drives its sockets, which a provider
    /// that blocks would hold up. It has [`Config::setup_timeout`](super::Config::setup_timeout), and on renewal until the
    /// session ends, during which other requests go on. An error of it ends a connection that is being made, and is tried
    /// again on renewal.
    ///
    /// ```
    /// use kafka_proto::{config::Sasl, sasl::OauthBearer};
    ///
    /// # async fn fetch_token() -> Result<String, std::io::Error> { Ok("abc".to_owned()) }
    /// let sasl = Sasl::oauth_bearer(|| async {
    ///     let token = fetch_token().await?;
    ///     let bearer = OauthBearer::new(token)?.extension("logicalCluster", "lkc-1")?;
    ///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(bearer)
    /// });
    /// # drop(sasl);
    /// ```
    ///
    /// Source: KIP-255, KIP-342.
    #[doc(alias = "OAUTHBEARER")]
    pub fn oauth_bearer<F, E>(provider: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<OauthBearer, E>> + Send + 'static,
        E: Into<AnyError>,
    {
        Self::provider("OAUTHBEARER", move || {
            let providing = provider();
            async move {
                let bearer = providing.await.map_err(Into::into)?;
                Ok::<_, AnyError>(Arc::new(bearer) as Arc<dyn Mechanism>)
            }
        })
    }

    /// A mechanism of your own that needs nothing from outside; [`sasl`](crate::sasl) shows how to write one.
    pub fn mechanism(mechanism: impl Mechanism + 'static) -> Self {
        Self(Arc::new(Source::Fixed(Arc::new(mechanism))))
    }

    /// A mechanism of your own that must fetch something first: a Kerberos ticket, say, or a signed request of a cloud.
    /// `name` is for errors and `Debug`.
    ///
    /// `provider` is asked before each authentication, as [`Sasl::oauth_bearer`] asks its own.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use kafka_proto::{config::Sasl, sasl::{Mechanism, Plain}};
    ///
    /// # async fn read_vault() -> Result<String, std::io::Error> { Ok("secret".to_owned()) }
    /// // a password that changes while the program runs
    /// let sasl = Sasl::provider("PLAIN", || async {
    ///     let plain = Plain::new("alice", read_vault().await?)?;
    ///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Arc::new(plain) as Arc<dyn Mechanism>)
    /// });
    /// # drop(sasl);
    /// ```
    pub fn provider<F, E>(
        name: impl Into<String>,
        provider: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Arc<dyn Mechanism>, E>> + Send + 'static,
        E: Into<AnyError>,
    {
        let provide = move || {
            let providing = provider();
            Box::pin(async move { providing.await.map_err(Into::into) }) as Providing
        };
        Self(Arc::new(Source::Provider(name.into(), Box::new(provide))))
    }

    /// The name of the mechanism.
    pub fn name(&self) -> &str {
        match &*self.0 {
            Source::Fixed(mechanism) => mechanism.name(),
            Source::Provider(name, _) => name,
        }
    }

    /// The credentials for one authentication.
    pub(crate) fn provide(&self) -> Providing {
        match &*self.0 {
            Source::Fixed(mechanism) => Box::pin(std::future::ready(Ok(mechanism.clone()))),
            Source::Provider(_, provide) => provide(),
        }
    }
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sasl")
            .field(&format_args!("{}", self.name()))
            .finish()
    }
}
