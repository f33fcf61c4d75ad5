//! A connection over sockets ends its stream of TLS in good order, by every adapter.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc,
    thread,
};

use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
    tls::Tls,
};

use super::tls;
use crate::runtimes::{Host, Runtime, on_each};

on_each! {
    a_connection_that_is_closed_says_so: tokio tokio_current_thread async_std smol executor;
}

/// What a record of TLS 1.3 has that holds an alert: two bytes, their type, a tag. No request is that short.
const ALERT: usize = 2 + 1 + 16;
const APPLICATION_DATA: u8 = 23;

/// Stands between one client and a broker, and sees how the client's stream ends.
struct Relay {
    address: String,
    ends: mpsc::Receiver<Option<(u8, usize)>>,
}

impl Relay {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let (tell, ends) = mpsc::channel();
        thread::spawn(move || {
            let (client, _) = listener.accept().expect("a client");
            let broker = TcpStream::connect(("127.0.0.1", port)).expect("a broker");
            let back = (
                broker.try_clone().expect("a half"),
                client.try_clone().expect("a half"),
            );
            thread::spawn(move || copy(back.0, back.1, |_| {}));
            let mut records = Records::default();
            copy(client, broker, |bytes| records.take(bytes));
            let _ = tell.send(records.last);
        });
        Self { address, ends }
    }

    /// Type and length of the last record that the client sent, once its stream has ended; `None` if that was cut.
    fn last(self) -> Option<(u8, usize)> {
        self.ends.recv().expect("the stream ends")
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, mut see: impl FnMut(&[u8])) {
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        see(&bytes[..n]);
        if to.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// The records in a stream.
#[derive(Default)]
struct Records {
    rest: Vec<u8>,
    last: Option<(u8, usize)>,
}

impl Records {
    fn take(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        while let Some([kind, _, _, high, low]) = self.rest.first_chunk::<5>().copied() {
            let length = usize::from(u16::from_be_bytes([high, low]));
            if self.rest.len() < 5 + length {
                break;
            }
            self.rest.drain(..5 + length);
            self.last = Some((kind, length));
        }
        if !self.rest.is_empty() {
            self.last = None;
        }
    }
}

fn server() -> Server {
    Server::start_tls(Cluster::new(Config::new()), Tls::new()).expect("a server")
}

fn a_connection_that_is_closed_says_so(runtime: Runtime) {
    let host = Host::start(runtime);
    let server = server();
    let relay = Relay::to(server.port(1));
    let dialer = host.dialer().configure(|c| c.tls(tls()));
    let address = relay.address.clone();
    let conn = host.run(async move { dialer.dial(&address).await.expect("a connection") });
    host.run(async move { conn.close() });
    // nobody waits for it, and the runtime is there to write it
    assert_eq!(relay.last(), Some((APPLICATION_DATA, ALERT)));
    host.shut_down();
}

#[test]
fn a_connection_on_plain_threads_says_so_too() {
    let server = server();
    let relay = Relay::to(server.port(1));
    let dialer = kafka_client_blocking::Dialer::new().tls(tls());
    let conn = dialer.dial(&relay.address).expect("a connection");
    conn.close();
    assert_eq!(relay.last(), Some((APPLICATION_DATA, ALERT)));
}
