//! Request and response headers: small, odd, and so written by hand.

use crate::{
    api::ApiKey,
    wire::{Reader, Result, UnknownTags, Wire, Writer},
};

/// What stands before every request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RequestHeader {
    /// The number of the API; it may be one that this crate does not know.
    pub api_key: i16,
    /// The version of the body.
    pub api_version: i16,
    /// What the response will repeat.
    pub correlation_id: i32,
    /// Who asks, for logs and quotas; absent in header version 0.
    pub client_id: Option<String>,
    /// Tagged fields; empty unless the reader was told to keep them.
    pub unknown_tags: UnknownTags,
}

/// What stands before every response.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ResponseHeader {
    /// The number that came with the request.
    pub correlation_id: i32,
    /// Tagged fields; empty unless the reader was told to keep them.
    pub unknown_tags: UnknownTags,
}

impl RequestHeader {
    /// Reads a header and leaves the reader at the body, as flexible as it was.
    pub fn read(r: &mut Reader<'_>, header_version: i16) -> Result<Self> {
        let flexible = r.flexible;
        let mut header = Self::default();
        header.api_key.read(r)?;
        header.api_version.read(r)?;
        header.correlation_id.read(r)?;
        if header_version >= 1 {
            // two length bytes in every version, so that a broker can read it whatever the version says
            r.flexible = false;
            header.client_id.read(r)?;
        }
        r.flexible = header_version >= 2;
        r.end_struct(&mut header.unknown_tags)?;
        r.flexible = flexible;
        Ok(header)
    }

    /// Writes a header and leaves the writer as flexible as it was. A client id is cut after 32,767 bytes.
    pub fn write(&self, w: &mut Writer, header_version: i16) {
        let flexible = w.flexible;
        self.api_key.write(w);
        self.api_version.write(w);
        self.correlation_id.write(w);
        if header_version >= 1 {
            w.flexible = false;
            self.client_id.write(w);
        }
        w.flexible = header_version >= 2;
        let place = w.end_struct(w.place(), &self.unknown_tags);
        w.leave(place);
        w.flexible = flexible;
    }
}

impl ResponseHeader {
    /// Reads a header and leaves the reader at the body, as flexible as it was.
    pub fn read(r: &mut Reader<'_>, header_version: i16) -> Result<Self> {
        let flexible = r.flexible;
        let mut header = Self::default();
        header.correlation_id.read(r)?;
        r.flexible = header_version >= 1;
        r.end_struct(&mut header.unknown_tags)?;
        r.flexible = flexible;
        Ok(header)
    }

    /// Writes a header and leaves the writer as flexible as it was.
    pub fn write(&self, w: &mut Writer, header_version: i16) {
        let flexible = w.flexible;
        self.correlation_id.write(w);
        w.flexible = header_version >= 1;
        let place = w.end_struct(w.place(), &self.unknown_tags);
        w.leave(place);
        w.flexible = flexible;
    }
}

impl ApiKey {
    /// The version of the header that goes before a request of this version.
    pub fn request_header(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the header that comes before a response of this version.
    pub fn response_header(self, version: i16) -> i16 {
        // a broker answers ApiVersions before it knows what its client can read (KIP-511)
        i16::from(self != Self::ApiVersions && self.is_flexible(version))
    }
}
