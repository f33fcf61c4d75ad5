//! Messages, headers and frames, compared with what the Java client writes and reads.

use bytes::Bytes;
use kafka_proto::{
    api::{AnyRequest, AnyResponse, ApiKey, RequestHeader, ResponseHeader, blobs},
    wire::{
        Reader, Wire, Writer, decode, encode,
        json::{self, Json},
    },
};
use serde_json::{Value, json};

use super::line::{Outcome, Vector, equal, same_bytes};

/// Bytes read as what Java read in them, and are written as Java writes them; our defaults are Java's.
pub(crate) fn body(v: &Vector) -> Outcome {
    match v.text("kind")? {
        "request" => body_of::<AnyRequest>(v),
        _ => body_of::<AnyResponse>(v),
    }
}

fn body_of<T: Body>(v: &Vector) -> Outcome {
    let (api, version) = (api(v)?, v.number("version")?);
    let message = T::read(api, version, &v.hex("hex")?)?;
    same_json(&message, version, &v.0["json"])?;
    same_bytes(&message.written(api, version), &canonical(v)?)?;
    if let Some(field) = message.misfit(version) {
        return Err(format!("{field} does not fit"));
    }
    match v.text("fill") {
        Ok("default") => same_bytes(&T::default_of(api).written(api, version), &v.hex("hex")?),
        _ => Ok(()),
    }
}

/// What travels inside of other messages.
pub(crate) fn blob(v: &Vector) -> Outcome {
    match v.text("api")? {
        "ConsumerProtocolSubscription" => blob_of::<blobs::ConsumerProtocolSubscription>(v),
        "ConsumerProtocolAssignment" => blob_of::<blobs::ConsumerProtocolAssignment>(v),
        "ControlRecordTypeSchema" => blob_of::<blobs::ControlRecordType>(v),
        "EndTxnMarker" => blob_of::<blobs::EndTxnMarker>(v),
        other => Err(format!("{other} is unknown")),
    }
}

fn blob_of<T: Wire + Json>(v: &Vector) -> Outcome {
    let (hex, version) = (v.hex("hex")?, v.number("version")?);
    let blob: T = decode(&hex, version, false).map_err(|e| e.to_string())?;
    same_json(&blob, version, &v.0["json"])?;
    same_bytes(&encode(&blob, version, false), &canonical(v)?)?;
    match v.text("fill") {
        Ok("default") => same_bytes(&encode(&T::default(), version, false), &hex),
        _ => Ok(()),
    }
}

/// A field that a version lacks is left out or makes the message refused, as in Java.
pub(crate) fn downgrade(v: &Vector) -> Outcome {
    match v.text("kind")? {
        "request" => downgrade_of::<AnyRequest>(v),
        _ => downgrade_of::<AnyResponse>(v),
    }
}

fn downgrade_of<T: Body>(v: &Vector) -> Outcome {
    let (api, from, to) = (api(v)?, v.number("from_version")?, v.number("version")?);
    let message = T::read(api, from, &v.hex("from_hex")?)?;
    same_json(&message, from, &v.0["json"])?;
    match (v.is("refused"), message.misfit(to)) {
        (true, Some(_)) => Ok(()),
        (true, None) => Err("Java refuses".to_owned()),
        (false, Some(field)) => Err(format!("Java leaves {field} out")),
        (false, None) => same_bytes(&message.written(api, to), &v.hex("hex")?),
    }
}

pub(crate) fn request_header(v: &Vector) -> Outcome {
    let version = v.number("version")?;
    // the one request with header version 0 is of an API that is no business of clients
    let header_version = api(v).map_or(0, |api| api.request_header(version));
    equal(
        "header version",
        header_version,
        v.number("header_version")?,
    )?;
    let hex = v.hex("hex")?;
    let mut r = Reader::new(&hex, version, false);
    let header = RequestHeader::read(&mut r, header_version)
        .and_then(|h| r.finish(h))
        .map_err(|e| e.to_string())?;
    let mut fields = json!({
        "requestApiKey": header.api_key,
        "requestApiVersion": header.api_version,
        "correlationId": header.correlation_id,
    });
    if header_version >= 1 {
        fields["clientId"] = header.client_id.clone().into();
    }
    equal("header", &fields, &v.0["json"])?;
    let mut w = Writer::new(version, false);
    header.write(&mut w, header_version);
    same_bytes(&w.flatten(), &canonical(v)?)
}

pub(crate) fn response_header(v: &Vector) -> Outcome {
    let version = v.number("version")?;
    let header_version = api(v)?.response_header(version);
    equal(
        "header version",
        header_version,
        v.number("header_version")?,
    )?;
    let hex = v.hex("hex")?;
    let mut r = Reader::new(&hex, version, false);
    let header = ResponseHeader::read(&mut r, header_version)
        .and_then(|h| r.finish(h))
        .map_err(|e| e.to_string())?;
    let fields = json!({ "correlationId": header.correlation_id });
    equal("header", &fields, &v.0["json"])?;
    let mut w = Writer::new(version, false);
    header.write(&mut w, header_version);
    same_bytes(&w.flatten(), &canonical(v)?)
}

/// Whole frames read as header and body, and the two are written as the same frame.
pub(crate) fn request_frame(v: &Vector) -> Outcome {
    let (api, version) = (api(v)?, v.number("version")?);
    let header_version = api.request_header(version);
    equal(
        "header version",
        header_version,
        v.number("header_version")?,
    )?;
    let frame = frame(v)?;
    let mut r = Reader::new(&frame, version, api.is_flexible(version));
    let header = RequestHeader::read(&mut r, header_version).map_err(|e| e.to_string())?;
    equal("key", ApiKey::try_from(header.api_key), Ok::<_, i16>(api))?;
    equal("version", header.api_version, version)?;
    equal(
        "correlation id",
        header.correlation_id,
        v.number("correlation_id")?,
    )?;
    same_bytes(&frame.slice(frame.len() - r.remaining()..), &v.hex("body")?)?;
    let body = AnyRequest::decode(api, &mut r)
        .and_then(|b| r.finish(b))
        .map_err(|e| e.to_string())?;
    let mut w = Writer::new(version, api.is_flexible(version));
    let start = w.begin_frame();
    header.write(&mut w, header_version);
    body.encode(&mut w);
    w.end_frame(start);
    same_bytes(&w.segments().concat(), &v.hex("hex")?)
}

/// As [`request_frame`].
pub(crate) fn response_frame(v: &Vector) -> Outcome {
    let (api, version) = (api(v)?, v.number("version")?);
    let header_version = api.response_header(version);
    equal(
        "header version",
        header_version,
        v.number("header_version")?,
    )?;
    let frame = frame(v)?;
    let mut r = Reader::new(&frame, version, api.is_flexible(version));
    let header = ResponseHeader::read(&mut r, header_version).map_err(|e| e.to_string())?;
    equal(
        "correlation id",
        header.correlation_id,
        v.number("correlation_id")?,
    )?;
    same_bytes(&frame.slice(frame.len() - r.remaining()..), &v.hex("body")?)?;
    let body = AnyResponse::decode(api, &mut r)
        .and_then(|b| r.finish(b))
        .map_err(|e| e.to_string())?;
    let mut w = Writer::new(version, api.is_flexible(version));
    let start = w.begin_frame();
    header.write(&mut w, header_version);
    body.encode(&mut w);
    w.end_frame(start);
    same_bytes(&w.segments().concat(), &v.hex("hex")?)
}

/// What follows the length of a frame, which must be right.
fn frame(v: &Vector) -> Result<Bytes, String> {
    let mut hex = v.hex("hex")?;
    let length = hex.split_to(hex.len().min(4));
    same_bytes(&length, &(hex.len() as u32).to_be_bytes())?;
    Ok(hex)
}

fn api(v: &Vector) -> Result<ApiKey, String> {
    ApiKey::try_from(v.number::<i16>("key")?).map_err(|key| format!("no API has the key {key}"))
}

/// What writing must give; a reader may drop what it does not know.
fn canonical(v: &Vector) -> Result<Bytes, String> {
    v.hex(if v.has("reencoded") {
        "reencoded"
    } else {
        "hex"
    })
}

/// `AnyRequest` or `AnyResponse`.
trait Body: Json + Sized {
    fn default_of(api: ApiKey) -> Self;
    fn read(api: ApiKey, version: i16, body: &Bytes) -> Result<Self, String>;
    fn written(&self, api: ApiKey, version: i16) -> Bytes;
    fn misfit(&self, version: i16) -> Option<&'static str>;
}

macro_rules! bodies {
    ($($any:ident)*) => {$(
        impl Body for $any {
            fn default_of(api: ApiKey) -> Self {
                Self::default_of(api)
            }

            fn read(api: ApiKey, version: i16, body: &Bytes) -> Result<Self, String> {
                let mut r = Reader::new(body, version, api.is_flexible(version));
                let message = Self::decode(api, &mut r).and_then(|message| r.finish(message));
                message.map_err(|e| e.to_string())
            }

            fn written(&self, api: ApiKey, version: i16) -> Bytes {
                let mut w = Writer::new(version, api.is_flexible(version));
                self.encode(&mut w);
                w.flatten()
            }

            fn misfit(&self, version: i16) -> Option<&'static str> {
                self.misfit(version)
            }
        }
    )*};
}
bodies! { AnyRequest AnyResponse }

fn same_json(ours: &impl Json, version: i16, theirs: &Value) -> Outcome {
    let ours = serde_json::from_str(&json::to_string(ours, version)).map_err(|e| e.to_string())?;
    match difference("", &ours, theirs) {
        None => Ok(()),
        Some(at) => Err(format!("json differs at {at}")),
    }
}

fn difference(path: &str, ours: &Value, theirs: &Value) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            a.keys()
                .chain(b.keys())
                .find_map(|key| match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => difference(&format!("{path}.{key}"), a, b),
                    (a, b) => Some(format!("{path}.{key}: {a:?} and {b:?}")),
                })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(i, (a, b))| difference(&format!("{path}[{i}]"), a, b)),
        // Java may write a float without a fraction as an integer
        (Value::Number(a), Value::Number(b)) if a.is_f64() != b.is_f64() => {
            (a.as_f64() != b.as_f64()).then(|| format!("{path}: {a} and {b}"))
        }
        (a, b) => (a != b).then(|| format!("{path}: {a} and {b}")),
    }
}
