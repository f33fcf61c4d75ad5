//! The brokers, each started when it is first needed, and the ways in.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kafka_client_tokio::{
    Client, Config, Sasl, TlsConfig,
    api::alter_user_scram_credentials::{
        AlterUserScramCredentialsRequest, ScramCredentialUpsertion,
    },
    sasl::{OauthBearer, ScramHash},
};
use kafka_testing::{
    certificates,
    kafka::{Kafka, KafkaVersion, Listener, Options},
};
use libtest_mimic::Trial;

use crate::common::{Outcome, kafka_trial};

/// How long brokers know who came by SASL.
pub(crate) const SESSION: Duration = Duration::from_secs(3);

/// A listener, and who comes how.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    Ssl,
    Mtls,
    SaslPlain,
    SaslScram256,
    SaslScram512,
    SaslOauth,
    SaslSslPlain,
    SaslSslScram256,
    SaslSslScram512,
    SaslSslOauth,
}

pub(crate) const WAYS: [Way; 10] = [
    Way::Ssl,
    Way::Mtls,
    Way::SaslPlain,
    Way::SaslScram256,
    Way::SaslScram512,
    Way::SaslOauth,
    Way::SaslSslPlain,
    Way::SaslSslScram256,
    Way::SaslSslScram512,
    Way::SaslSslOauth,
];

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ssl => "ssl",
            Self::Mtls => "ssl_with_a_client_certificate",
            Self::SaslPlain => "sasl_plaintext_plain",
            Self::SaslScram256 => "sasl_plaintext_scram_sha_256",
            Self::SaslScram512 => "sasl_plaintext_scram_sha_512",
            Self::SaslOauth => "sasl_plaintext_oauthbearer",
            Self::SaslSslPlain => "sasl_ssl_plain",
            Self::SaslSslScram256 => "sasl_ssl_scram_sha_256",
            Self::SaslSslScram512 => "sasl_ssl_scram_sha_512",
            Self::SaslSslOauth => "sasl_ssl_oauthbearer",
        }
    }

    /// Whether an ordinary run has it.
    pub(crate) fn is_quick(self) -> bool {
        matches!(self, Self::Mtls | Self::SaslSslScram512)
    }

    pub(crate) fn listener(self) -> Listener {
        match self {
            Self::Ssl => Listener::Ssl,
            Self::Mtls => Listener::Mtls,
            Self::SaslPlain | Self::SaslScram256 | Self::SaslScram512 | Self::SaslOauth => {
                Listener::Sasl
            }
            _ => Listener::SaslSsl,
        }
    }

    /// The settings of a client that comes this way and may do all.
    pub(crate) fn configure(self, config: Config) -> Config {
        let config = match self.listener() {
            Listener::Sasl => config,
            Listener::Mtls => {
                let identity = tls().client_auth_pem(certificates::CLIENT, certificates::CLIENT);
                config.tls(identity.expect("a certificate"))
            }
            Listener::Ssl | Listener::SaslSsl => config.tls(tls()),
        };
        match self {
            Self::Ssl | Self::Mtls => config,
            Self::SaslPlain | Self::SaslSslPlain => {
                config.sasl(Sasl::plain("alice", "alice-secret").expect("credentials"))
            }
            Self::SaslScram256 | Self::SaslSslScram256 => {
                config.sasl(Sasl::scram_sha256("carol", PASSWORD))
            }
            Self::SaslScram512 | Self::SaslSslScram512 => {
                config.sasl(Sasl::scram_sha512("carol", PASSWORD))
            }
            Self::SaslOauth | Self::SaslSslOauth => config.sasl(Sasl::oauth_bearer(|| async {
                OauthBearer::new(token("dave"))
            })),
        }
    }
}

/// Not what SASLprep would leave of it: Java takes passwords as they are.
pub(crate) const PASSWORD: &str = "carol-\u{fb01}\u{aa}=,secret";

pub(crate) fn tls() -> TlsConfig {
    TlsConfig::new().roots_pem(certificates::CA).expect("roots")
}

/// An unsigned token, good for a minute.
pub(crate) fn token(subject: &str) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let claims = format!(r#"{{"sub":"{subject}","iat":{now},"exp":{}}}"#, now + 60);
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(&claims))
}

/// A broker, and names that nobody else uses there.
pub(crate) struct Place {
    pub(crate) kafka: Kafka,
    names: AtomicU64,
}

impl Place {
    pub(crate) fn brokers(&self, way: Way) -> String {
        self.kafka.secured(way.listener())
    }

    pub(crate) fn name(&self) -> String {
        format!("secured-{}", self.names.fetch_add(1, Ordering::Relaxed))
    }
}

/// The brokers that run.
#[derive(Clone, Default)]
pub(crate) struct Places(Arc<Mutex<BTreeMap<KafkaVersion, Arc<Place>>>>);

impl Places {
    pub(crate) fn trial(
        &self,
        name: &str,
        version: KafkaVersion,
        body: impl FnOnce(&Place) + Send + 'static,
    ) -> Trial {
        let places = self.clone();
        kafka_trial(name, version, move || {
            let place = places.start(version)?;
            body(&place);
            Ok(())
        })
    }

    fn start(&self, version: KafkaVersion) -> Result<Arc<Place>, Box<dyn std::error::Error>> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = running.get(&version) {
            return Ok(place.clone());
        }
        let session = SESSION.as_millis().to_string();
        let options = Options::new()
            .version(version)
            .secured()
            .property("listener.name.sasl.connections.max.reauth.ms", &session)
            .property("listener.name.saslssl.connections.max.reauth.ms", &session);
        let kafka = Kafka::start(options)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(make_users(&kafka.bootstrap()))?;
        let names = AtomicU64::new(0);
        let place = Arc::new(Place { kafka, names });
        running.insert(version, place.clone());
        Ok(place)
    }
}

/// Makes the users of SCRAM: a mechanism each, since one request may name a user once only.
async fn make_users(brokers: &str) -> Outcome {
    let client: Client = kafka_client_tokio::connect(brokers).await?;
    for (hash, number) in [(ScramHash::Sha256, 1), (ScramHash::Sha512, 2)] {
        let (salt, iterations) = (b"salt of the tests", 4096);
        let request = AlterUserScramCredentialsRequest::build(|r| {
            r.upsertions = vec![ScramCredentialUpsertion::build(|u| {
                u.name = "carol".to_owned();
                u.mechanism = number;
                u.iterations = iterations;
                u.salt = salt.to_vec().into();
                let salted = hash.salt_password(PASSWORD, salt, iterations as u32);
                u.salted_password = salted.into();
            })];
        });
        let response = client.call(request).await?;
        for result in response.results {
            assert_eq!(result.error_code, 0, "{:?}", result.error_message);
        }
    }
    Ok(())
}
