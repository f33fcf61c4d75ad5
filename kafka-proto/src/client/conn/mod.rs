//! One connection without a client around it.

mod admin;
mod dialing;
mod lookup;
mod position;
mod read;
mod write;

use std::{fmt, future::Future, net::SocketAddr, sync::Arc, time::Instant};

use bytes::Bytes;
#[doc(hidden)]
pub use dialing::may_greet_lower;
pub use lookup::{Broker, Partition};
pub(super) use lookup::{Topics, partitions_of};
pub use position::{FIRST_OFFSET, LAST_OFFSET, SeekFrom};
pub use read::FetchLimits;

use super::{
    Batch, Call, Clock, Inbound, Outbound, Seed,
    call::{Form, Side, Submitted, Terms},
    ledger::Ledger,
    link::{Common, Kind, Link},
    sync::Lock,
};
use crate::{
    api::Request,
    config::{Acks, Address, Config},
    error::{ConfigError, Error, ErrorKind},
    machine::{Now, handshake::Versions},
    record::Codecs,
};
use position::Position;

/// One connection to one broker, for one partition or for requests of any kind.
///
/// Requests take `&self`, and many may be in flight: the broker answers them in order. What reads moves the position and
/// takes `&mut self`. No retries, no idempotence, no other brokers: those are [`Writer`](super::Writer)'s and
/// [`Reader`](super::Reader)'s, which are built from the same parts. Dropping it closes the connection.
///
/// A call that is dropped, or whose deadline passes, gives up the answer only: the connection goes on, and the answer is
/// dropped when it comes. What a broker does not answer within [`Config::request_timeout`] ends the connection.
///
/// One that was dialled without a partition has none: what reads, writes or seeks is [`ErrorKind::Misuse`] there.
///
/// Speaks with brokers from 0.10 on, in the newest version of each request that both sides know.
///
/// Source: acceptance CN-01..25.
pub struct Conn {
    link: Arc<Link>,
    topic: Arc<str>,
    partition: i32,
    position: Position,
    /// Messages in hand.
    rest: Option<Batch>,
    settings: Lock<Settings>,
    broker: Option<Broker>,
}

#[derive(Clone, Debug, Default)]
struct Settings {
    acks: Acks,
    codecs: Codecs,
}

impl Conn {
    /// A connection for `topic` and `partition` over a stream that the caller drives by the two halves: for adapters. An
    /// empty topic is none: for requests of any kind.
    ///
    /// `peer` is the address that was dialled, `host:port`, whose host a certificate must bear; or, for a stream that comes
    /// from elsewhere, any words for it: TLS then takes the name from `TlsConfig::server_name`.
    ///
    /// The position is the first offset (acceptance FN-09).
    ///
    /// # Errors
    ///
    /// A setting that cannot be, which the error names.
    #[doc(alias = "NewConn")]
    #[doc(alias = "NewConnWith")]
    pub fn new(
        config: Config,
        clock: Arc<dyn Clock>,
        seed: impl Into<Seed>,
        peer: &str,
        topic: &str,
        partition: i32,
    ) -> Result<(Self, Outbound, Inbound), ConfigError> {
        Self::greeting_from(0, config, clock, seed, peer, topic, partition)
    }

    /// The same, greeting from a rung of the handshake's ladder: after a broker has hung up on the one above.
    ///
    /// # Errors
    ///
    /// A setting that cannot be.
    pub fn greeting_from(
        rung: usize,
        config: Config,
        clock: Arc<dyn Clock>,
        seed: impl Into<Seed>,
        peer: &str,
        topic: &str,
        partition: i32,
    ) -> Result<(Self, Outbound, Inbound), ConfigError> {
        config.check()?;
        let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if topic.len() > 249 || !topic.chars().all(legal) || matches!(topic, "." | "..") {
            let rule = "has at most 249 of a-z, A-Z, 0-9, `.`, `_` and `-`";
            return Err(ConfigError::new("topic", rule));
        }
        if partition < 0 {
            return Err(ConfigError::new("partition", "must not be negative"));
        }
        let (now, seed) = (clock.now(), seed.into());
        let common = Arc::new(Common {
            fetch_ledger: Ledger::new(config.fetch_buffer),
            random: seed.random(),
            nonces: seed.nonces(),
            writing: Lock::default(),
            inbox: None,
            clock,
            config,
        });
        // what has no address has no name either, and TLS says so
        let host = Address::parse(peer).map_or_else(|_| peer.to_owned(), |address| address.host);
        let (link, outbound, inbound) =
            Link::new(Kind::General, peer.into(), &host, common, rung, now);
        let conn = Self {
            link,
            topic: topic.into(),
            partition,
            position: Position::First,
            rest: None,
            settings: Lock::default(),
            broker: None,
        };
        Ok((conn, outbound, inbound))
    }

    /// Takes note of which broker this was dialled for: for adapters.
    pub fn of_broker(mut self, broker: Broker) -> Self {
        self.set_broker(broker);
        self
    }

    /// As [`Conn::of_broker`], in place: for adapters.
    pub fn set_broker(&mut self, broker: Broker) {
        self.broker = Some(broker);
    }

    /// Waits until the handshake is done.
    ///
    /// # Errors
    ///
    /// The peer is not a Kafka broker, closed the connection, or took longer than a deadline or
    /// [`Config::setup_timeout`].
    pub async fn ready(&self) -> Result<(), Error> {
        // any request waits for the handshake; this is the smallest, and brokers allow it at any time
        self.request(crate::api::api_versions::ApiVersionsRequest::build(|r| {
            r.client_software_name = "kafka-client-rs".to_owned();
            r.client_software_version = env!("CARGO_PKG_VERSION").to_owned();
        }))
        .await
        .map(drop)
    }

    /// As [`Conn::ready`], by this moment: for adapters. Deadlines are then unset.
    ///
    /// # Errors
    ///
    /// As [`Conn::ready`].
    pub async fn ready_by(&self, at: Instant) -> Result<(), Error> {
        self.set_deadline(Some(at));
        self.ready().await?;
        self.set_deadline(None);
        Ok(())
    }

    /// Sends a request of any API, in the highest version that both sides know, and waits for the response.
    ///
    /// Obeys both deadlines. Dropping the future gives up the answer only.
    ///
    /// From version 13 on, Produce and Fetch name topics by id and carry no name: with a name, ask by
    /// [`request_at`](Self::request_at) in version 12.
    ///
    /// # Errors
    ///
    /// The broker does not know the API or a field that is set, a deadline passed, or the connection ended. Error codes
    /// inside the response are yours to look at.
    pub fn request<R: Request + Send + Sync + 'static>(&self, request: R) -> Call<R> {
        self.submit(request, Terms::default(), Side::Both)
    }

    /// Sends a request in this very version, and waits for the response.
    ///
    /// # Errors
    ///
    /// As [`Conn::request`]; also if this crate or the broker does not know the version.
    pub fn request_at<R: Request + Send + Sync + 'static>(
        &self,
        version: i16,
        request: R,
    ) -> Call<R> {
        let terms = Terms {
            lowest: version,
            highest: version,
            ..Terms::default()
        };
        self.submit(request, terms, Side::Both)
    }

    /// Sends the body of a request of any API and version as it is, and waits for the body of the response: for proxies.
    ///
    /// The headers are written and read here. Neither key nor version is checked, and an API that is newer than this crate
    /// is taken to have flexible headers, as new ones do (KIP-482). A request that the broker does not answer, a Produce
    /// with acks 0, is not for this: its answer would be waited for until the time-out ends the connection.
    ///
    /// # Errors
    ///
    /// A deadline passed, or the connection ended: brokers end it for what they do not know.
    pub fn raw(
        &self,
        api_key: i16,
        version: i16,
        body: Bytes,
    ) -> impl Future<Output = Result<Bytes, Error>> + Send + use<> {
        let form = Form::raw(api_key, version);
        let (submitted, answer) = Submitted::raw(form, body, Side::Both);
        self.link.submit(submitted);
        answer
    }

    /// Sets who must have a batch before it counts as written. Default: all in-sync replicas.
    ///
    /// With [`Acks::None`], writing waits until the request has left, and nothing says whether the broker took it.
    #[doc(alias = "SetRequiredAcks")]
    pub fn set_required_acks(&self, acks: Acks) {
        self.settings.lock().acks = acks;
    }

    /// Sets the codecs, with levels or of your own, that batches are compressed and read by. Default: Kafka's.
    #[doc(alias = "RegisterCompressionCodec")]
    pub fn set_codecs(&self, codecs: Codecs) {
        self.settings.lock().codecs = codecs;
    }

    /// Sets when reads and writes give up, the ones that wait now included; `None` is never. Default: never.
    ///
    /// What gives up ends with [`ErrorKind::TimedOut`]; the connection goes on. A write that gives up may be written.
    #[doc(alias = "SetDeadline")]
    pub fn set_deadline(&self, at: Option<Instant>) {
        self.link.set_deadlines(|d| (d.read, d.write) = (at, at));
    }

    /// Sets when what reads gives up: fetches, offsets, lookups. As [`Conn::set_deadline`].
    #[doc(alias = "SetReadDeadline")]
    pub fn set_read_deadline(&self, at: Option<Instant>) {
        self.link.set_deadlines(|d| d.read = at);
    }

    /// Sets when what writes gives up: batches, and the creation and deletion of topics. As [`Conn::set_deadline`].
    #[doc(alias = "SetWriteDeadline")]
    pub fn set_write_deadline(&self, at: Option<Instant>) {
        self.link.set_deadlines(|d| d.write = at);
    }

    /// The topic; empty if the connection has none.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition; of no meaning without a topic.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The broker that this was dialled for: known after `dial_leader` and `dial_partition`.
    pub fn broker(&self) -> Option<&Broker> {
        self.broker.as_ref()
    }

    /// Where this end of the connection is; `None` over a stream of the caller.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.link.addresses().map(|(local, _)| local)
    }

    /// Where the broker's end of the connection is; `None` over a stream of the caller.
    #[doc(alias = "RemoteAddr")]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.link.addresses().map(|(_, peer)| peer)
    }

    /// Closes the connection; calls in flight end with an error. Calling it again does nothing.
    #[doc(alias = "Close")]
    pub fn close(&self) {
        self.link.close(&Error::closed());
    }

    /// What closes this connection from elsewhere, while a call holds it.
    pub fn closer(&self) -> ConnCloser {
        ConnCloser(self.link.clone())
    }

    fn submit<R: Request + Send + Sync + 'static>(
        &self,
        request: R,
        terms: Terms,
        side: Side,
    ) -> Call<R> {
        let (submitted, call) = Submitted::on_terms(request, terms, side);
        self.link.submit(submitted);
        call
    }

    /// The topic, for what is about one.
    fn own_topic(&self) -> Result<&Arc<str>, Error> {
        if self.topic.is_empty() {
            let message = "the connection has no topic: dial the leader of a partition";
            return Err(Error::new(ErrorKind::Misuse, message));
        }
        Ok(&self.topic)
    }

    /// What the broker speaks, once the handshake is done.
    async fn versions(&self) -> Result<Arc<Versions>, Error> {
        if let Some(versions) = self.link.versions() {
            return Ok(versions);
        }
        self.ready().await?;
        let ended = || self.link.error().unwrap_or_else(Error::closed);
        self.link.versions().ok_or_else(ended)
    }

    fn config(&self) -> &Config {
        &self.link.common.config
    }

    fn now(&self) -> Now {
        self.link.common.clock.now()
    }
}

/// Closes a [`Conn`] from another task or thread: a call that waits there ends with an error.
///
/// Cheap to clone. Dropping it does nothing; neither does closing what is closed.
#[derive(Clone)]
pub struct ConnCloser(Arc<Link>);

impl ConnCloser {
    /// Closes the connection.
    pub fn close(&self) {
        self.0.close(&Error::closed());
    }

    /// Changes the deadlines of the connection, as [`Conn::set_deadline`] does, while a call holds it.
    pub fn set_deadline(&self, at: Option<Instant>) {
        self.0.set_deadlines(|d| (d.read, d.write) = (at, at));
    }
}

impl fmt::Debug for ConnCloser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnCloser").field(&self.0.peer).finish()
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("peer", &self.link.peer)
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}
