//! Listeners that ask who comes, beside the one that does not.

use std::{fs, io, path::Path};

use super::{properties::Properties, version::KafkaVersion};
use crate::certificates;

/// A listener of a node that was started with [`Options::secured`](super::Options::secured).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Listener {
    /// TLS.
    Ssl,
    /// TLS, with a client certificate.
    Mtls,
    /// SASL without TLS.
    Sasl,
    /// SASL over TLS.
    SaslSsl,
}

impl Listener {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ssl, Self::Mtls, Self::Sasl, Self::SaslSsl];

    /// Where it listens, beside the first port of a node.
    pub(super) fn offset(self) -> u16 {
        match self {
            Self::Ssl => 1,
            Self::Mtls => 2,
            Self::Sasl => 3,
            Self::SaslSsl => 4,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ssl => "SSL",
            Self::Mtls => "MTLS",
            Self::Sasl => "SASL",
            Self::SaslSsl => "SASLSSL",
        }
    }

    fn protocol(self) -> &'static str {
        match self {
            Self::Ssl | Self::Mtls => "SSL",
            Self::Sasl => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }
}

/// Opens all listeners on the ports behind `first`, with files in the folder `home`.
pub(super) fn secure(
    all: &mut Properties,
    version: KafkaVersion,
    first: u16,
    home: &Path,
) -> io::Result<()> {
    for listener in Listener::ALL {
        let name = listener.name();
        all.listen(name, listener.protocol(), first + listener.offset());
        if listener.protocol().starts_with("SASL") {
            for (mechanism, jaas) in JAAS {
                let key = format!(
                    "listener.name.{}.{mechanism}.sasl.jaas.config",
                    name.to_lowercase()
                );
                all.set(&key, format!("org.apache.kafka.common.security.{jaas};"));
            }
        }
    }
    let store = |file: &str| home.join(file).display().to_string();
    fs::write(home.join("trust.p12"), certificates::TRUST_P12)?;
    // before 3.0 a key in PEM form must be encrypted
    if version.takes_plain_pem() {
        fs::write(home.join("broker.pem"), certificates::BROKER)?;
        all.set("ssl.keystore.location", store("broker.pem"));
        all.set("ssl.keystore.type", "PEM");
    } else {
        fs::write(home.join("broker.p12"), certificates::BROKER_P12)?;
        all.set("ssl.keystore.location", store("broker.p12"));
        all.set("ssl.keystore.type", "PKCS12");
        all.set("ssl.keystore.password", "changeit");
        all.set("ssl.key.password", "changeit");
    }
    all.set("ssl.truststore.location", store("trust.p12"));
    all.set("ssl.truststore.type", "PKCS12");
    all.set("ssl.truststore.password", "changeit");
    all.set("listener.name.mtls.ssl.client.auth", "required");
    all.set(
        "sasl.enabled.mechanisms",
        "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
    );
    all.set(
        "authorizer.class.name",
        match version.takes_plain_pem() {
            true => "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            false => "kafka.security.authorizer.AclAuthorizer",
        },
    );
    all.set("allow.everyone.if.no.acl.found", false);
    all.set("super.users", SUPER_USERS);
    Ok(())
}

/// Who may do all: also whoever comes without an identity, which the brokers themselves do, and the certificate of the
/// tests. `bob` may do nothing.
const SUPER_USERS: &str = "User:ANONYMOUS;User:admin;User:alice;User:carol;User:dave;User:CN=client,O=test;User:O=test,CN=client";

/// The modules of each mechanism. Users of SCRAM are made at run time.
const JAAS: [(&str, &str); 4] = [
    (
        "plain",
        "plain.PlainLoginModule required user_admin=\"admin-secret\" user_alice=\"alice-secret\" user_bob=\"bob-secret\"",
    ),
    ("scram-sha-256", "scram.ScramLoginModule required"),
    ("scram-sha-512", "scram.ScramLoginModule required"),
    (
        "oauthbearer",
        "oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"admin\" \
         unsecuredValidatorAllowableClockSkewMs=\"3000\"",
    ),
];
