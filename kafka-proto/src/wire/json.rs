//! The JSON form of messages, with the names and the shape of Kafka's own converters.
//!
//! For tracing, bug reports and tests: a message in this form can be compared with what Kafka's tools print.
//!
//! - names are in camel case, fields in the order of the table; fields that the version lacks are absent, and so are
//!   tagged fields at their defaults;
//! - bytes are base64, a uuid is 22 characters of URL-safe base64, a float that is no number is a string.

use std::fmt::{self, Write as _};

use bytes::Bytes;

use super::{Uuid, base64::base64};

/// A value that has a JSON form.
pub trait Json {
    /// Writes the value as it stands in `version` of its message.
    fn json(&self, version: i16, out: &mut JsonWriter);
}

/// The JSON text of `value` in `version` of its message.
pub fn to_string(value: &impl Json, version: i16) -> String {
    let mut out = JsonWriter::default();
    value.json(version, &mut out);
    out.finish()
}

/// Takes one JSON value.
#[derive(Clone, Debug, Default)]
pub struct JsonWriter {
    text: String,
}

impl JsonWriter {
    /// An empty text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins an object, for each [`field`](Self::field) that comes next.
    pub fn begin_object(&mut self) {
        self.text.push('{');
    }

    /// Ends an object.
    pub fn end_object(&mut self) {
        self.text.push('}');
    }

    /// Puts the name of a field, for the value that comes next: `snake` in camel case.
    pub fn field(&mut self, snake: &str) -> &mut Self {
        self.separate();
        self.text.push('"');
        let mut up = false;
        for c in snake.chars() {
            match c {
                // a name may end with one where it would be a keyword of Rust
                '_' => up = true,
                c => self.text.push(if std::mem::take(&mut up) {
                    c.to_ascii_uppercase()
                } else {
                    c
                }),
            }
        }
        self.text.push_str("\":");
        self
    }

    /// Puts an array.
    pub fn array<T: Json>(&mut self, elements: &[T], version: i16) {
        self.text.push('[');
        let mut rest = elements;
        while let [first, others @ ..] = rest {
            self.separate();
            first.json(version, self);
            rest = others;
        }
        self.text.push(']');
    }

    /// Puts a string.
    pub fn string(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.text.extend(['\\', c]),
                '\0'..='\x1f' => self.display(format_args!("\\u{:04x}", u32::from(c))),
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }

    /// Puts null.
    pub fn null(&mut self) {
        self.text.push_str("null");
    }

    /// The text.
    pub fn finish(self) -> String {
        self.text
    }

    /// Puts what needs no quotes.
    fn display(&mut self, value: impl fmt::Display) {
        // writing to a string never fails
        let _ = write!(self.text, "{value}");
    }

    /// Puts a comma between what came and what comes; no value ends with an opening bracket.
    fn separate(&mut self) {
        if !self.text.ends_with(['{', '[']) {
            self.text.push(',');
        }
    }
}

macro_rules! plain {
    ($($ty:ty)*) => {$(
        impl Json for $ty {
            fn json(&self, _: i16, out: &mut JsonWriter) {
                out.display(self);
            }
        }
    )*};
}
plain! { bool i8 i16 u16 i32 i64 }

impl Json for f64 {
    fn json(&self, _: i16, out: &mut JsonWriter) {
        match *self {
            n if n.is_nan() => out.string("NaN"),
            Self::INFINITY => out.string("Infinity"),
            Self::NEG_INFINITY => out.string("-Infinity"),
            // this form has an exponent where the number is long
            n => out.display(format_args!("{n:?}")),
        }
    }
}

impl Json for String {
    fn json(&self, _: i16, out: &mut JsonWriter) {
        out.string(self);
    }
}

impl Json for Bytes {
    fn json(&self, _: i16, out: &mut JsonWriter) {
        out.text.push('"');
        out.text.extend(base64(self, *b"+/"));
        out.text.push_str(["", "==", "="][self.len() % 3]);
        out.text.push('"');
    }
}

impl Json for Uuid {
    fn json(&self, _: i16, out: &mut JsonWriter) {
        out.display(format_args!("\"{self}\""));
    }
}

impl<T: Json> Json for Vec<T> {
    fn json(&self, version: i16, out: &mut JsonWriter) {
        out.array(self, version);
    }
}

impl<T: Json> Json for Option<T> {
    fn json(&self, version: i16, out: &mut JsonWriter) {
        match self {
            Some(value) => value.json(version, out),
            None => out.null(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{blobs::ControlRecordType, metadata::MetadataRequest};

    #[test]
    fn messages_have_camel_case_names_and_only_what_the_version_has() {
        let request = MetadataRequest::default();
        assert_eq!(to_string(&request, 0), r#"{"topics":[]}"#);
        assert_eq!(
            to_string(&request, 11),
            r#"{"topics":[],"allowAutoTopicCreation":true,"includeTopicAuthorizedOperations":false}"#
        );
        assert_eq!(
            to_string(&ControlRecordType::build(|t| t.type_ = 1), 0),
            r#"{"type":1}"#
        );
    }

    #[test]
    fn strings_that_end_like_brackets_and_odd_characters_are_no_trouble() {
        let texts = vec![
            "{".to_owned(),
            "[".to_owned(),
            "\"\\\n\u{7f}ä".to_owned(),
            String::new(),
        ];
        let json = to_string(&texts, 0);
        assert_eq!(
            json,
            r#"["{","[","\"\\\u000a"#.to_owned() + "\u{7f}ä\",\"\"]"
        );
        assert_eq!(
            serde_json::from_str::<Vec<String>>(&json).expect("json"),
            texts
        );
    }

    #[test]
    fn numbers_that_json_lacks_are_strings() {
        let floats = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1, 1e300, -0.0];
        assert_eq!(
            to_string(&floats, 0),
            r#"["NaN","Infinity","-Infinity",0.1,1e300,-0.0]"#
        );
        assert_eq!(
            to_string(&vec![i64::MIN, i64::MAX], 0),
            "[-9223372036854775808,9223372036854775807]"
        );
    }

    #[test]
    fn bytes_are_padded() {
        let bytes = ["", "f", "fo", "foo"].map(Bytes::from).to_vec();
        assert_eq!(to_string(&bytes, 0), r#"["","Zg==","Zm8=","Zm9v"]"#);
    }
}
