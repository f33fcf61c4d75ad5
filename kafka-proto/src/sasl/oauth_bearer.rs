//! OAUTHBEARER: a token that somebody else has given out.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;

use super::{Exchange, Mechanism, SaslError, Step, scram::sasl_name};

/// What separates the parts of a message, and all of the answer to a refusal.
const SEPARATOR: char = '\u{1}';

/// Sends a token, with extensions if there are any. Tokens expire: make a new one for each exchange.
///
/// Source: RFC 7628; KIP-255, KIP-342 (extensions).
#[derive(Clone)]
pub struct OauthBearer {
    token: String,
    authorization_id: String,
    extensions: BTreeMap<String, String>,
}

impl OauthBearer {
    /// A token.
    ///
    /// # Errors
    ///
    /// [`SaslError::Credentials`] if it is empty or holds what no token may: spaces, control or non-ASCII characters.
    pub fn new(token: impl Into<String>) -> Result<Self, SaslError> {
        let token = token.into();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(SaslError::Credentials(
                "the token",
                "it must be visible ASCII",
            ));
        }
        Ok(Self {
            token,
            authorization_id: String::new(),
            extensions: BTreeMap::new(),
        })
    }

    /// Sets as whom the owner of the token wants to act. Default: as itself.
    ///
    /// # Errors
    ///
    /// [`SaslError::Credentials`] if it holds the byte 1, which separates the parts of the message.
    pub fn authorization_id(self, id: impl Into<String>) -> Result<Self, SaslError> {
        let authorization_id = id.into();
        if authorization_id.contains([SEPARATOR, '\0']) {
            let why = "it holds a control character";
            return Err(SaslError::Credentials("the authorization id", why));
        }
        Ok(Self {
            authorization_id,
            ..self
        })
    }

    /// Adds an extension, such as `logicalCluster` of Confluent.
    ///
    /// # Errors
    ///
    /// [`SaslError::Credentials`] if the name is not made of ASCII letters, or is `auth`, or the value holds more than
    /// visible ASCII and white space.
    pub fn extension(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, SaslError> {
        let (name, value) = (name.into(), value.into());
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic());
        if !is_name || name == "auth" {
            let why = "names are ASCII letters, and `auth` is taken";
            return Err(SaslError::Credentials("the extension", why));
        }
        let is_white = |b: u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
        if !value.bytes().all(|b| b.is_ascii_graphic() || is_white(b)) {
            let why = "values are visible ASCII and white space";
            return Err(SaslError::Credentials("the extension", why));
        }
        self.extensions.insert(name, value);
        Ok(self)
    }
}

impl Mechanism for OauthBearer {
    fn name(&self) -> &str {
        "OAUTHBEARER"
    }

    fn start(&self, _: [u8; 24]) -> Result<(Bytes, Box<dyn Exchange>), SaslError> {
        let mut message = String::from("n,");
        if !self.authorization_id.is_empty() {
            message += "a=";
            message += &sasl_name(&self.authorization_id);
        }
        message += ",\u{1}auth=Bearer ";
        message += &self.token;
        message.push(SEPARATOR);
        for (name, value) in &self.extensions {
            message.extend([name, "=", value]);
            message.push(SEPARATOR);
        }
        message.push(SEPARATOR);
        Ok((message.into(), Box::new(ExpectVerdict)))
    }
}

/// Shows who, not how.
impl fmt::Debug for OauthBearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OauthBearer")
            .field("authorization_id", &self.authorization_id)
            .field("extensions", &self.extensions.keys())
            .finish_non_exhaustive()
    }
}

/// Waits for nothing, which is good, or for the reason of a refusal.
#[derive(Debug)]
struct ExpectVerdict;

impl Exchange for ExpectVerdict {
    fn handle(self: Box<Self>, verdict: &[u8]) -> Result<Step, SaslError> {
        if verdict.is_empty() {
            return Ok(Step::Done);
        }
        // the broker wants an answer before it fails the exchange (RFC 7628, section 3.2.3)
        Ok(Step::Send {
            message: Bytes::from_static(b"\x01"),
            then: Box::new(ExpectRefusal {
                reason: SaslError::refused(verdict),
            }),
        })
    }
}

/// Waits for the end of an exchange that has failed.
#[derive(Debug)]
struct ExpectRefusal {
    reason: SaslError,
}

impl Exchange for ExpectRefusal {
    fn handle(self: Box<Self>, _: &[u8]) -> Result<Step, SaslError> {
        Err(self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_answered_and_then_reported_with_its_reason() {
        let token = OauthBearer::new("abc").expect("a token");
        let (_, exchange) = token.start([0; 24]).expect("starts");
        let Ok(Step::Send { message, then }) = exchange.handle(br#"{"status":"invalid_token"}"#)
        else {
            panic!("an answer is due")
        };
        assert_eq!(message, "\u{1}");
        let error = then.handle(b"").expect_err("refused");
        assert!(error.to_string().contains("invalid_token"), "{error}");
    }

    #[test]
    fn what_would_be_read_as_something_else_is_refused_and_secrets_are_not_shown() {
        for token in ["", "a b", "a\u{1}b", "ä"] {
            assert!(OauthBearer::new(token).is_err(), "{token:?}");
        }
        let token = OauthBearer::new("tangerine").expect("a token");
        for (name, value) in [
            ("auth", "x"),
            ("", "x"),
            ("a1", "x"),
            ("a", "\u{1}"),
            ("a", "ä"),
        ] {
            assert!(
                token.clone().extension(name, value).is_err(),
                "{name} {value}"
            );
        }
        assert!(token.clone().authorization_id("a\u{1}").is_err());
        let token = token
            .extension("traceId", "tangerine")
            .expect("an extension");
        assert!(!format!("{token:?}").contains("tangerine"));
    }
}
