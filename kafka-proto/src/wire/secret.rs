//! Bytes that nobody is to see in a log.

use std::{fmt, ops::Deref};

use bytes::Bytes;

use super::{
    Place, Reader, Result, Wire, Writer,
    json::{Json, JsonWriter},
};

/// Bytes whose `Debug` shows their length alone: passwords, tokens and keys in requests and responses.
///
/// On the wire and in the JSON form, which is for whoever asks for the values, they are as other bytes.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Secret(pub Bytes);

impl Wire for Secret {
    fn read(&mut self, r: &mut Reader<'_>) -> Result<()> {
        self.0.read(r)
    }

    fn put(&self, w: &mut Writer, place: Place) -> Place {
        self.0.put(w, place)
    }

    fn misfit_in(&self, version: i16, flexible: bool) -> Option<&'static str> {
        self.0.misfit_in(version, flexible)
    }
}

impl Json for Secret {
    fn json(&self, version: i16, out: &mut JsonWriter) {
        self.0.json(version, out);
    }
}

impl<T: Into<Bytes>> From<T> for Secret {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

impl Deref for Secret {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use crate::api::{
        alter_user_scram_credentials::ScramCredentialUpsertion,
        sasl_authenticate::SaslAuthenticateRequest,
    };

    #[test]
    fn requests_show_that_there_is_a_secret_and_not_which() {
        let request = SaslAuthenticateRequest::build(|r| r.auth_bytes = "\0alice\0secret".into());
        let shown = format!("{request:?}");
        assert!(shown.contains("auth_bytes: Secret(13 bytes)"), "{shown}");
        let user = ScramCredentialUpsertion::build(|u| u.salted_password = "secret".into());
        assert!(!format!("{user:?}").contains("secret\""));
    }
}
