//! PLAIN: user and password as they are. Only over TLS.

use std::fmt;

use bytes::Bytes;

use super::{Exchange, Mechanism, SaslError, Step};

/// Sends user and password as they are: use it over TLS only.
///
/// Source: RFC 4616; KIP-43.
#[derive(Clone)]
pub struct Plain {
    authorization_id: String,
    user: String,
    password: String,
}

impl Plain {
    /// Credentials.
    ///
    /// # Errors
    ///
    /// [`SaslError::Credentials`] if one of them holds a zero byte, which separates them.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Result<Self, SaslError> {
        let plain = Self {
            authorization_id: String::new(),
            user: no_zero("the user", user.into())?,
            password: no_zero("the password", password.into())?,
        };
        Ok(plain)
    }

    /// Sets as whom the user wants to act. Default: as itself; Kafka's own brokers take nothing else.
    ///
    /// # Errors
    ///
    /// [`SaslError::Credentials`] if it holds a zero byte.
    pub fn authorization_id(self, id: impl Into<String>) -> Result<Self, SaslError> {
        let authorization_id = no_zero("the authorization id", id.into())?;
        Ok(Self {
            authorization_id,
            ..self
        })
    }
}

fn no_zero(what: &'static str, text: String) -> Result<String, SaslError> {
    match text.contains('\0') {
        true => Err(SaslError::Credentials(what, "it holds a zero byte")),
        false => Ok(text),
    }
}

impl Mechanism for Plain {
    fn name(&self) -> &str {
        "PLAIN"
    }

    fn start(&self, _: [u8; 24]) -> Result<(Bytes, Box<dyn Exchange>), SaslError> {
        let message = [&self.authorization_id, &self.user, &self.password];
        Ok((
            message.map(String::as_str).join("\0").into(),
            Box::new(ExpectNothing),
        ))
    }
}

/// Shows who, not how.
impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plain")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Waits for an answer, which says nothing: a refusal is an error code of the response around it.
#[derive(Debug)]
struct ExpectNothing;

impl Exchange for ExpectNothing {
    fn handle(self: Box<Self>, _: &[u8]) -> Result<Step, SaslError> {
        // some brokers that are not Kafka send a greeting; Java does not look either
        Ok(Step::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_read_as_something_else_is_refused_and_secrets_are_not_shown() {
        assert!(Plain::new("a\0b", "c").is_err());
        assert!(Plain::new("a", "\0").is_err());
        let plain = Plain::new("alice", "tangerine").expect("credentials");
        assert_eq!(format!("{plain:?}"), r#"Plain { user: "alice", .. }"#);
        assert!(plain.authorization_id("\0").is_err());
    }
}
