//! Frames on a socket.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use bytes::{Bytes, BytesMut};
use kafka_proto::{
    api::{ApiKey, RequestHeader, ResponseHeader},
    wire::{Reader, Wire, Writer},
};

pub struct Connection(TcpStream);

impl Connection {
    pub fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a broker");
        stream.set_nodelay(true).expect("tcp");
        Self(stream)
    }

    /// Sends a request of a flexible version.
    pub fn send(&mut self, api: ApiKey, version: i16, request: &impl Wire) {
        let mut w = Writer::new(version, false);
        let frame = w.begin_frame();
        let header = RequestHeader {
            api_key: api as i16,
            api_version: version,
            correlation_id: 0,
            client_id: Some("floor".to_owned()),
            ..RequestHeader::default()
        };
        header.write(&mut w, api.request_header(version));
        w.flexible = true;
        request.write(&mut w);
        w.end_frame(frame);
        for segment in w.segments() {
            self.0.write_all(&segment).expect("the broker reads");
        }
    }

    /// The response to the oldest request without one.
    pub fn receive<T: Wire>(&mut self, api: ApiKey, version: i16) -> T {
        let mut length = [0; 4];
        self.0.read_exact(&mut length).expect("an answer");
        let mut frame = BytesMut::zeroed(u32::from_be_bytes(length) as usize);
        self.0.read_exact(&mut frame).expect("an answer");
        let frame: Bytes = frame.freeze();
        let mut r = Reader::new(&frame, version, false);
        ResponseHeader::read(&mut r, api.response_header(version)).expect("a header");
        r.flexible = true;
        let mut response = T::default();
        response.read(&mut r).expect("a response");
        response
    }
}
