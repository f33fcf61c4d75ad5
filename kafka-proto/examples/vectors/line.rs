//! One line of a vector file, and what checks need to read it and to compare.

use std::fmt::Debug;

use bytes::Bytes;
use serde_json::Value;

/// What a check found wrong; `Ok` is nothing.
pub(crate) type Outcome = Result<(), String>;

/// One vector.
pub(crate) struct Vector(pub(crate) Value);

impl Vector {
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|v| !v.is_null())
    }

    pub(crate) fn is(&self, key: &str) -> bool {
        self.0[key] == true
    }

    pub(crate) fn text(&self, key: &str) -> Result<&str, String> {
        self.0[key].as_str().ok_or_else(|| format!("no {key}"))
    }

    pub(crate) fn number<T: TryFrom<i64>>(&self, key: &str) -> Result<T, String> {
        let number = self.0[key].as_i64().and_then(|n| T::try_from(n).ok());
        number.ok_or_else(|| format!("no {key}"))
    }

    pub(crate) fn list(&self, key: &str) -> Result<&[Value], String> {
        let list = self.0[key].as_array();
        list.map(Vec::as_slice).ok_or_else(|| format!("no {key}"))
    }

    pub(crate) fn hex(&self, key: &str) -> Result<Bytes, String> {
        hex(&self.0[key]).map_err(|e| format!("{key}: {e}"))
    }
}

/// Which vector it is, for messages about it.
impl std::fmt::Display for Vector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const TELLING: [&str; 16] = [
            "api",
            "kind",
            "version",
            "fill",
            "field",
            "shape",
            "note",
            "broken",
            "codec",
            "variant",
            "key",
            "assignor",
            "what",
            "mechanism",
            "message",
            "why",
        ];
        let told = TELLING.iter().filter_map(|key| self.0.get(key));
        let told: Vec<_> = told
            .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            .collect();
        f.write_str(&told.join(" "))
    }
}

/// The bytes of a string of hex digits.
pub(crate) fn hex(value: &Value) -> Result<Bytes, String> {
    let text = value.as_str().ok_or("no hex")?;
    let digit = |c: u8| char::from(c).to_digit(16).ok_or("not hex");
    let pair = |pair: &[u8]| match pair {
        [high, low] => Ok((digit(*high)? << 4 | digit(*low)?) as u8),
        _ => Err("half a byte"),
    };
    let bytes = text.as_bytes().chunks(2).map(pair);
    Ok(bytes.collect::<Result<Vec<u8>, _>>()?.into())
}

/// The bytes of a string of hex digits, or null.
pub(crate) fn nullable_hex(value: &Value) -> Result<Option<Bytes>, String> {
    if value.is_null() {
        return Ok(None);
    }
    hex(value).map(Some)
}

pub(crate) fn equal<T: PartialEq + Debug>(what: &str, ours: T, theirs: T) -> Outcome {
    if ours == theirs {
        Ok(())
    } else {
        Err(format!("{what} is {ours:?}, not {theirs:?}"))
    }
}

pub(crate) fn same_bytes(ours: &[u8], theirs: &[u8]) -> Outcome {
    match ours.iter().zip(theirs).position(|(a, b)| a != b) {
        None if ours.len() == theirs.len() => Ok(()),
        at => Err(format!(
            "bytes differ at {at:?}: {} and {} long",
            ours.len(),
            theirs.len()
        )),
    }
}
