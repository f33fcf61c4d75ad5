//! Topic ids and the like.

use std::fmt;

use super::base64::base64;

/// Sixteen bytes that name a topic, a log directory or a replica; all zero means none.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// The id of nothing.
    pub const NIL: Self = Self([0; 16]);

    /// Whether it names nothing.
    pub fn is_nil(self) -> bool {
        self == Self::NIL
    }
}

/// The form of Kafka's tools: 22 characters of URL-safe base64.
impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        base64(&self.0, *b"-_").try_for_each(|c| fmt::Write::write_char(f, c))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_the_form_of_kafka_tools() {
        assert_eq!(Uuid::NIL.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid([0xff; 16]).to_string(), "_____________________w");
        assert_eq!(
            format!("{:?}", Uuid([0xfb; 16])),
            "Uuid(-_v7-_v7-_v7-_v7-_v7-w)"
        );
    }
}
