//! Settings by the names of the Java client and of librdkafka.

use std::collections::BTreeMap;
#[cfg(feature = "tls")]
use std::fs;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

#[cfg(feature = "tls")]
use super::TlsConfig;
use super::{Config, Sasl};
use crate::{
    error::ConfigError,
    sasl::{OauthBearer, Scram, ScramHash},
};

impl Config {
    /// Reads the security settings of the Java client or of librdkafka, as they stand in a `client.properties`.
    ///
    /// | name | meaning |
    /// |---|---|
    /// | `bootstrap.servers`, `metadata.broker.list` | [`Config::brokers`] |
    /// | `client.id` | [`Config::client_id`] |
    /// | `security.protocol` | `PLAINTEXT` (default), `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`, in any case |
    /// | `ssl.truststore.type`, `ssl.keystore.type` | `PEM` alone: a store of Java is not read |
    /// | `ssl.truststore.certificates`, `ssl.ca.pem` | [`TlsConfig::roots_pem`](super::TlsConfig::roots_pem) |
    /// | `ssl.truststore.location`, `ssl.ca.location` | the same, from a file |
    /// | `ssl.keystore.certificate.chain` and `ssl.keystore.key`, `ssl.certificate.pem` and `ssl.key.pem` | [`TlsConfig::client_auth_pem`](super::TlsConfig::client_auth_pem) |
    /// | `ssl.keystore.location`, or `ssl.certificate.location` and `ssl.key.location` | the same, from files |
    /// | `ssl.endpoint.identification.algorithm` | `https` alone |
    /// | `sasl.mechanism`, `sasl.mechanisms` | `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`, `OAUTHBEARER` |
    /// | `sasl.jaas.config` | `username` and `password` of the modules of PLAIN and SCRAM; the unsecured claims of OAUTHBEARER |
    /// | `sasl.username`, `sasl.password` | the same |
    ///
    /// OAUTHBEARER with tokens from elsewhere is [`Sasl::oauth_bearer`], set after this, which needs no `sasl.jaas.config`
    /// then.
    ///
    /// Names of one row that are given with different values, or one name twice, are an error; the same value may be said
    /// in several ways.
    ///
    /// # Errors
    ///
    /// A name that is not listed, since what is overlooked in security settings is not secure; two names that contradict each
    /// other; a value that cannot be; an encrypted key. The message names the properties, and shows no value of a secret one.
    ///
    /// ```
    /// use kafka_proto::config::Config;
    ///
    /// # fn main() -> Result<(), kafka_proto::error::ConfigError> {
    /// let config = Config::from_properties([
    ///     ("bootstrap.servers", "kafka-1:9093"),
    ///     ("security.protocol", "SASL_PLAINTEXT"),
    ///     ("sasl.mechanism", "SCRAM-SHA-512"),
    ///     (
    ///         "sasl.jaas.config",
    ///         "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"alice\" password=\"secret\";",
    ///     ),
    /// ])?;
    /// # drop(config);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_properties<K: AsRef<str>, V: AsRef<str>>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigError> {
        Self::without_brokers().properties(properties)
    }

    /// The same on top of what is set already.
    ///
    /// # Errors
    ///
    /// As [`Config::from_properties`].
    pub fn properties<K: AsRef<str>, V: AsRef<str>>(
        mut self,
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigError> {
        let mut given = Given::read(properties)?;
        if let Some(brokers) = given.take(&["bootstrap.servers", "metadata.broker.list"])? {
            self = self.brokers(&brokers)?;
        }
        if let Some(id) = given.take(&["client.id"])? {
            self = self.client_id(id);
        }
        let protocol = given.take(&["security.protocol"])?;
        let protocol = protocol.unwrap_or_default().to_ascii_uppercase();
        let (secret, known) = match protocol.as_str() {
            "" | "PLAINTEXT" => (false, false),
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            "SASL_SSL" => (true, true),
            other => {
                let reason =
                    format!("{other:?} is none of PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL");
                return Err(ConfigError::new("security.protocol", reason));
            }
        };
        if known {
            match given.sasl()? {
                Some(sasl) => self = self.sasl(sasl),
                None => self.wants_sasl = true,
            }
        } else {
            given.refuse("sasl.", "`security.protocol` is without SASL")?;
        }
        if secret {
            self = given.tls(self)?;
        } else {
            given.refuse("ssl.", "`security.protocol` is without TLS")?;
        }
        Ok(self)
    }
}

/// The names that are known; those of errors are static.
const NAMES: [&str; 24] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "client.id",
    "security.protocol",
    "ssl.truststore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.keystore.type",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.ca.pem",
    "ssl.ca.location",
    "ssl.certificate.pem",
    "ssl.certificate.location",
    "ssl.key.pem",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.jaas.config",
    "sasl.username",
    "sasl.password",
];

/// What was given and not looked at yet.
struct Given(BTreeMap<&'static str, String>);

impl Given {
    fn read<K: AsRef<str>, V: AsRef<str>>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, ConfigError> {
        let mut given = BTreeMap::new();
        for (name, value) in properties {
            let name = name.as_ref();
            let Some(known) = NAMES.into_iter().find(|known| *known == name) else {
                let reason = format!(
                    "{name:?} is not known here; leave it out, or set what it stands for by its setter"
                );
                return Err(ConfigError::new("properties", reason));
            };
            let value = value.as_ref();
            let before = given.insert(known, value.to_owned());
            if before.is_some_and(|before| before != value) {
                return Err(ConfigError::new(
                    known,
                    "it is given twice, and not the same",
                ));
            }
        }
        Ok(Self(given))
    }

    /// The value that was given under these names, which mean the same.
    fn take(&mut self, names: &[&'static str]) -> Result<Option<String>, ConfigError> {
        let given = names.iter().filter_map(|name| {
            let value = self.0.remove(name)?;
            Some((*name, value))
        });
        one_of(given.collect())
    }

    /// Refuses what begins with `prefix`: it would have no effect.
    fn refuse(&self, prefix: &str, why: &'static str) -> Result<(), ConfigError> {
        match self.0.keys().find(|name| name.starts_with(prefix)) {
            Some(name) => Err(ConfigError::new(name, why)),
            None => Ok(()),
        }
    }

    fn sasl(&mut self) -> Result<Option<Sasl>, ConfigError> {
        let mechanism = self.take(&["sasl.mechanism", "sasl.mechanisms"])?;
        let mechanism = mechanism.ok_or_else(|| {
            ConfigError::new(
                "sasl.mechanism",
                "it is missing, and Java's default, GSSAPI, is not built in",
            )
        })?;
        let jaas = self.take(&["sasl.jaas.config"])?;
        let jaas = jaas.as_deref().map(Jaas::parse).transpose()?;
        let user = self.take(&["sasl.username"])?;
        let password = self.take(&["sasl.password"])?;
        if mechanism == "OAUTHBEARER" {
            return Ok(jaas.map(|jaas| jaas.unsecured()).transpose()?.flatten());
        }
        let known: &[_] = match mechanism.starts_with("SCRAM-") {
            true => &["username", "password", "tokenauth"],
            false => &["username", "password"],
        };
        if let Some(jaas) = &jaas
            && let Some((name, _)) = jaas.options.iter().find(|(n, _)| !known.contains(&&**n))
        {
            let reason = format!("the option {name} is not known for {mechanism}");
            return Err(ConfigError::new("sasl.jaas.config", reason));
        }
        let of_jaas = |name: &str| jaas.as_ref().and_then(|jaas| jaas.option(name));
        let either = |name, given: Option<String>, option| {
            let both = [
                given.map(|value| (name, value)),
                of_jaas(option).map(|value| ("sasl.jaas.config", value)),
            ];
            one_of(both.into_iter().flatten().collect())?.ok_or_else(|| {
                let reason = format!("there is neither it nor {option} in `sasl.jaas.config`");
                ConfigError::new(name, reason)
            })
        };
        let user = either("sasl.username", user, "username")?;
        let password = either("sasl.password", password, "password")?;
        let is_token = of_jaas("tokenauth").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let token = |hash| Sasl::mechanism(Scram::delegation_token(hash, &*user, &*password));
        let (sasl, module) = match mechanism.as_str() {
            "SCRAM-SHA-256" if is_token => (token(ScramHash::Sha256), "ScramLoginModule"),
            "SCRAM-SHA-512" if is_token => (token(ScramHash::Sha512), "ScramLoginModule"),
            "PLAIN" => (Sasl::plain(user, password)?, "PlainLoginModule"),
            "SCRAM-SHA-256" => (Sasl::scram_sha256(user, password), "ScramLoginModule"),
            "SCRAM-SHA-512" => (Sasl::scram_sha512(user, password), "ScramLoginModule"),
            other => {
                let reason = format!(
                    "{other:?} is not built in: set `Sasl::mechanism` or `Sasl::provider` with one of your own"
                );
                return Err(ConfigError::new("sasl.mechanism", reason));
            }
        };
        match jaas {
            Some(jaas) if jaas.module != module => {
                let reason = format!("{mechanism} goes with the {module}");
                Err(ConfigError::new("sasl.jaas.config", reason))
            }
            _ => Ok(Some(sasl)),
        }
    }

    #[cfg(not(feature = "tls"))]
    fn tls(self, _: Config) -> Result<Config, ConfigError> {
        Err(ConfigError::new(
            "security.protocol",
            "TLS needs the feature `tls`",
        ))
    }

    #[cfg(feature = "tls")]
    fn tls(mut self, config: Config) -> Result<Config, ConfigError> {
        for name in ["ssl.truststore.type", "ssl.keystore.type"] {
            if self
                .take(&[name])?
                .is_some_and(|kind| !kind.eq_ignore_ascii_case("PEM"))
            {
                let reason = "only PEM is read: `keytool -exportcert -rfc`, or `openssl pkcs12 -nodes`, makes it of a store";
                return Err(ConfigError::new(name, reason));
            }
        }
        let algorithm = self.take(&["ssl.endpoint.identification.algorithm"])?;
        if algorithm.is_some_and(|a| !a.eq_ignore_ascii_case("https")) {
            let reason = "brokers are always verified by name; a certificate for another name than the one that is dialled \
                          needs `TlsConfig::server_name`";
            return Err(ConfigError::new(
                "ssl.endpoint.identification.algorithm",
                reason,
            ));
        }
        if self.take(&["ssl.key.password"])?.is_some() {
            let reason = "encrypted keys are not supported: decrypt it first (openssl pkey -in encrypted.pem -out key.pem)";
            return Err(ConfigError::new("ssl.key.password", reason));
        }
        let mut tls = TlsConfig::new();
        let roots = self.pem(
            &["ssl.truststore.certificates", "ssl.ca.pem"],
            &["ssl.truststore.location", "ssl.ca.location"],
        )?;
        if let Some(roots) = roots {
            tls = tls.roots_pem(roots)?;
        }
        let chain = self.pem(
            &["ssl.keystore.certificate.chain", "ssl.certificate.pem"],
            &["ssl.certificate.location"],
        )?;
        let key = self.pem(&["ssl.keystore.key", "ssl.key.pem"], &["ssl.key.location"])?;
        let both = self.pem(&[], &["ssl.keystore.location"])?;
        match (chain, key, both) {
            (None, None, None) => {}
            (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                let reason = "the key and its certificate are given apart, too (`ssl.keystore.certificate.chain`, \
                              `ssl.keystore.key`, or their names in librdkafka): leave out one of both";
                return Err(ConfigError::new("ssl.keystore.location", reason));
            }
            (Some(chain), Some(key), None) => tls = tls.client_auth_pem(chain, key)?,
            (None, None, Some(both)) => tls = tls.client_auth_pem(&both, &both)?,
            (Some(_), None, None) => {
                let reason = "there is a certificate, and no key for it";
                return Err(ConfigError::new("ssl.keystore.key", reason));
            }
            (None, Some(_), None) => {
                let reason = "there is a key, and no certificate for it";
                return Err(ConfigError::new("ssl.keystore.certificate.chain", reason));
            }
        }
        Ok(config.tls(tls))
    }

    /// A text that is given, or one in a file.
    #[cfg(feature = "tls")]
    fn pem(
        &mut self,
        texts: &[&'static str],
        files: &[&'static str],
    ) -> Result<Option<Vec<u8>>, ConfigError> {
        let mut given = Vec::new();
        for name in texts {
            let text = self.0.remove(name);
            given.extend(text.map(|text| (*name, text.into_bytes())));
        }
        for name in files {
            if let Some(path) = self.0.remove(name) {
                let read = fs::read(&path);
                let read = read.map_err(|e| ConfigError::new(name, format!("{path}: {e}")))?;
                given.push((*name, read));
            }
        }
        one_of(given)
    }
}

/// The one value that is given under several names.
///
/// # Errors
///
/// There are two: the names are told, the values may be secret.
fn one_of<T: Eq>(given: Vec<(&'static str, T)>) -> Result<Option<T>, ConfigError> {
    let mut given = given.into_iter();
    let Some((name, value)) = given.next() else {
        return Ok(None);
    };
    match given.find(|(_, other)| *other != value) {
        Some((other, _)) => {
            let reason = format!("it and `{other}` say different things: leave out one of them");
            Err(ConfigError::new(name, reason))
        }
        None => Ok(Some(value)),
    }
}

/// One entry of a login configuration: `module required name="value" ...;`.
struct Jaas {
    /// Without its package.
    module: String,
    options: Vec<(String, String)>,
}

impl Jaas {
    /// Reads it as `JaasConfig` of Java does, by a tokenizer with double quotes. Errors show nothing of it.
    fn parse(text: &str) -> Result<Self, ConfigError> {
        let wrong = |why: &'static str| ConfigError::new("sasl.jaas.config", why);
        let mut tokens = tokens(text)
            .ok_or_else(|| wrong("a quote is not closed"))?
            .into_iter();
        let module = tokens.next().ok_or_else(|| wrong("it is empty"))?;
        let module = module.rsplit('.').next().unwrap_or_default().to_owned();
        let flags = ["required", "requisite", "sufficient", "optional"];
        if !tokens
            .next()
            .is_some_and(|flag| flags.contains(&&*flag.to_ascii_lowercase()))
        {
            return Err(wrong("after the module comes `required`"));
        }
        let mut options = Vec::new();
        loop {
            match tokens.next().as_deref() {
                Some(";") => break,
                None => return Err(wrong("it ends without a semicolon")),
                Some(name) => match (tokens.next().as_deref(), tokens.next()) {
                    (Some("="), Some(value)) if value != ";" => {
                        options.push((name.to_owned(), value));
                    }
                    _ => return Err(wrong("an option is not name=\"value\"")),
                },
            }
        }
        match tokens.next() {
            Some(_) => Err(wrong("there are several modules, and one is used")),
            None => Ok(Self { module, options }),
        }
    }

    fn option(&self, name: &str) -> Option<String> {
        let found = self.options.iter().find(|(option, _)| option == name);
        found.map(|(_, value)| value.clone())
    }

    /// The unsigned token that Java makes of these options, for brokers of development (KIP-255); `None` if there are none,
    /// since the token comes from elsewhere then.
    ///
    /// It is good until 2100, where Java's lasts an hour: there is no clock here, and who takes such tokens takes any.
    fn unsecured(&self) -> Result<Option<Sasl>, ConfigError> {
        let wrong = |why: String| ConfigError::new("sasl.jaas.config", why);
        if self.module != "OAuthBearerLoginModule" {
            return Err(wrong(
                "OAUTHBEARER goes with the OAuthBearerLoginModule".to_owned(),
            ));
        }
        if self.options.is_empty() {
            return Ok(None);
        }
        let (mut claims, mut extensions) = (BTreeMap::new(), Vec::new());
        claims.insert("exp", "4102444800".to_owned());
        for (name, value) in &self.options {
            if let Some(claim) = name.strip_prefix("unsecuredLoginStringClaim_") {
                claims.insert(claim, quoted(value));
            } else if let Some(claim) = name.strip_prefix("unsecuredLoginNumberClaim_") {
                let number: f64 = (value.parse().ok().filter(|n: &f64| n.is_finite()))
                    .ok_or_else(|| wrong(format!("{name} is no number")))?;
                claims.insert(claim, number.to_string());
            } else if let Some(extension) = name.strip_prefix("unsecuredLoginExtension_") {
                extensions.push((extension, value));
            } else {
                let why = "is not known; tokens that are not of the unsecured kind come from `Sasl::oauth_bearer`";
                return Err(wrong(format!("{name} {why}")));
            }
        }
        let claims: Vec<_> = claims
            .iter()
            .map(|(name, value)| format!("{}:{value}", quoted(name)))
            .collect();
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let claims = format!("{{{}}}", claims.join(","));
        let token = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(&claims));
        let mut bearer = OauthBearer::new(token);
        for (name, value) in extensions {
            bearer = bearer.and_then(|bearer| bearer.extension(name, value));
        }
        let bearer = bearer.map_err(|e| wrong(e.to_string()))?;
        Ok(Some(Sasl::mechanism(bearer)))
    }
}

/// A string of JSON.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Words, quoted words without their quotes, and the signs `=` and `;`; `None` if a quote is not closed.
fn tokens(text: &str) -> Option<Vec<String>> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            c if c.is_whitespace() => {}
            '=' | ';' => tokens.push(c.to_string()),
            '"' | '\'' => {
                let mut word = String::new();
                loop {
                    match rest.next()? {
                        '\\' => word.push(rest.next()?),
                        end if end == c => break,
                        other => word.push(other),
                    }
                }
                tokens.push(word);
            }
            c => {
                let mut word = c.to_string();
                while let Some(c) =
                    rest.next_if(|c| !c.is_whitespace() && !matches!(c, '=' | ';' | '"' | '\''))
                {
                    word.push(c);
                }
                tokens.push(word);
            }
        }
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule required";

    fn refused(properties: &[(&str, &str)]) -> ConfigError {
        Config::from_properties(properties.iter().copied()).expect_err("refused")
    }

    #[test]
    fn the_names_of_java_and_of_librdkafka_mean_the_same() {
        let jaas = format!(r#"{SCRAM} username="al\"ice" password="s=e;c\\ret" ;"#);
        for properties in [
            vec![
                ("sasl.mechanism", "SCRAM-SHA-256"),
                ("sasl.jaas.config", &jaas[..]),
            ],
            vec![
                ("sasl.mechanisms", "SCRAM-SHA-256"),
                ("sasl.username", "al\"ice"),
                ("sasl.password", "s=e;c\\ret"),
            ],
        ] {
            let protocol = [
                ("security.protocol", "sasl_plaintext"),
                ("client.id", "billing"),
            ];
            let all = properties.into_iter().chain(protocol);
            let config = Config::from_properties(all).expect("settings");
            let shown = format!("{config:?}");
            assert!(shown.contains("Sasl(SCRAM-SHA-256)"), "{shown}");
            assert!(!shown.contains("s=e;c"), "{shown}");
        }
    }

    #[test]
    fn options_of_a_login_are_known_or_refused_and_tokens_come_from_somewhere() {
        let with = |mechanism: &'static str, options: &str| {
            let jaas = format!("{SCRAM} username=\"u\" password=\"p\" {options};");
            Config::from_properties([
                ("security.protocol", "SASL_PLAINTEXT"),
                ("sasl.mechanism", mechanism),
                ("sasl.jaas.config", &jaas),
            ])
        };
        with("SCRAM-SHA-512", "tokenauth=\"true\"").expect("a delegation token");
        for wrong in ["tokenAuth=\"true\"", "serviceName=\"kafka\""] {
            let error = with("SCRAM-SHA-512", wrong).expect_err("unknown");
            assert_eq!(error.field(), "sasl.jaas.config");
        }
        let oauth = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "OAUTHBEARER"),
        ];
        let config = Config::from_properties(oauth).expect("a provider may come");
        assert_eq!(
            config.check().expect_err("none came").field(),
            "sasl.mechanism"
        );
        let bearer = OauthBearer::new("token").expect("a token");
        config
            .sasl(Sasl::mechanism(bearer))
            .check()
            .expect("one did");
    }

    #[test]
    fn a_login_configuration_is_read_as_java_reads_it() {
        let jaas = Jaas::parse(&format!("{SCRAM}\n username=alice\n\tpassword='p w';")).ok();
        let jaas = jaas.expect("an entry");
        assert_eq!(jaas.module, "ScramLoginModule");
        assert_eq!(jaas.option("username").as_deref(), Some("alice"));
        assert_eq!(jaas.option("password").as_deref(), Some("p w"));
        for text in [
            "",
            "Module",
            "Module required",
            "Module perhaps a=b;",
            "Module required a;",
            "Module required a=;",
            "Module required a=\"b;",
            "Module required a=tangerine",
            "Module required; Module required;",
        ] {
            let error = Jaas::parse(text).err().expect(text);
            assert_eq!(error.field(), "sasl.jaas.config");
            assert!(!error.to_string().contains("tangerine"));
        }
    }

    #[test]
    fn unsecured_tokens_are_made_of_the_options_of_java() {
        let module = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
        let sasl = |options: &str| {
            let jaas = Jaas::parse(&format!("{module} required {options};")).expect("an entry");
            jaas.unsecured()
        };
        let made =
            sasl(r#"unsecuredLoginStringClaim_sub="da\"ve" unsecuredLoginNumberClaim_iat=5"#);
        let made = made.expect("sound").expect("a token");
        let waker = std::task::Waker::noop();
        let provided = made
            .provide()
            .as_mut()
            .poll(&mut std::task::Context::from_waker(waker));
        let std::task::Poll::Ready(Ok(mechanism)) = provided else {
            panic!("it is there")
        };
        let (message, _) = mechanism.start([0; 24]).expect("it begins");
        let message = String::from_utf8(message.to_vec()).expect("text");
        let claims = message.split('.').nth(1).expect("three parts");
        let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64");
        assert_eq!(claims, br#"{"exp":4102444800,"iat":5,"sub":"da\"ve"}"#);
        assert!(sasl("").expect("sound").is_none());
        for options in [
            "scope=x",
            "unsecuredLoginNumberClaim_a=b",
            "unsecuredLoginExtension_auth=b",
        ] {
            assert!(sasl(options).is_err(), "{options}");
        }
    }

    #[test]
    fn what_would_be_overlooked_is_refused_by_name() {
        let plain = ("security.protocol", "SASL_PLAINTEXT");
        for (properties, field) in [
            (vec![("ssl.protocol", "TLSv1.3")], "properties"),
            (vec![("security.protocol", "TLS")], "security.protocol"),
            (vec![("sasl.password", "x")], "sasl.password"),
            (vec![("ssl.ca.pem", "x")], "ssl.ca.pem"),
            (vec![plain], "sasl.mechanism"),
            (vec![plain, ("sasl.mechanism", "GSSAPI")], "sasl.username"),
            (
                vec![plain, ("sasl.mechanism", "PLAIN"), ("sasl.username", "a")],
                "sasl.password",
            ),
        ] {
            let error = refused(&properties);
            assert_eq!(error.field(), field, "{error}");
        }
        let error = refused(&[("ssl.protocol", "TLSv1.3")]);
        assert!(error.to_string().contains("ssl.protocol"), "{error}");
        let jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required username=a password=tangerine;";
        let error = refused(&[
            plain,
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.jaas.config", jaas),
        ]);
        assert!(error.to_string().contains("ScramLoginModule"), "{error}");
        assert!(!error.to_string().contains("tangerine"));
    }

    #[test]
    fn two_sources_of_one_setting_agree_or_are_refused_with_both_their_names() {
        let plain = ("security.protocol", "SASL_PLAINTEXT");
        let mechanism = ("sasl.mechanism", "SCRAM-SHA-512");
        let jaas = format!("{SCRAM} username=alice password=tangerine;");
        let jaas = ("sasl.jaas.config", &jaas[..]);
        for (properties, names) in [
            (
                vec![
                    ("bootstrap.servers", "a:9092"),
                    ("metadata.broker.list", "b:9092"),
                ],
                ["bootstrap.servers", "metadata.broker.list"],
            ),
            (
                vec![plain, mechanism, ("sasl.mechanisms", "PLAIN"), jaas],
                ["sasl.mechanism", "sasl.mechanisms"],
            ),
            (
                vec![plain, mechanism, jaas, ("sasl.username", "bob")],
                ["sasl.username", "sasl.jaas.config"],
            ),
            (
                vec![plain, mechanism, jaas, ("sasl.password", "mandarin")],
                ["sasl.password", "sasl.jaas.config"],
            ),
            (
                vec![("client.id", "a"), ("client.id", "b")],
                ["client.id", "twice"],
            ),
        ] {
            let error = refused(&properties);
            assert_eq!(error.field(), names[0]);
            let told = error.to_string();
            assert!(names.iter().all(|name| told.contains(name)), "{told}");
            assert!(!told.contains("tangerine") && !told.contains("mandarin"));
        }
        let agreeing = [
            plain,
            mechanism,
            ("sasl.mechanisms", "SCRAM-SHA-512"),
            jaas,
            ("sasl.username", "alice"),
            ("sasl.password", "tangerine"),
            ("client.id", "a"),
            ("client.id", "a"),
        ];
        Config::from_properties(agreeing).expect("they say the same");
    }

    #[cfg(feature = "tls")]
    #[test]
    fn stores_that_are_no_pem_and_keys_with_passwords_are_refused() {
        let tls = ("security.protocol", "SSL");
        for (name, value) in [
            ("ssl.truststore.type", "JKS"),
            ("ssl.keystore.type", "PKCS12"),
            ("ssl.key.password", "tangerine"),
            ("ssl.endpoint.identification.algorithm", ""),
            ("ssl.truststore.location", "/nowhere/ca.pem"),
        ] {
            let error = refused(&[tls, (name, value)]);
            assert_eq!(error.field(), name);
            assert!(!error.to_string().contains("tangerine"));
        }
        assert_eq!(
            refused(&[tls, ("ssl.key.pem", "x")]).field(),
            "ssl.keystore.certificate.chain"
        );
        let config = Config::from_properties([tls, ("ssl.truststore.type", "PEM")]);
        assert!(config.expect("the roots that are built in").tls.is_some());
    }
}
