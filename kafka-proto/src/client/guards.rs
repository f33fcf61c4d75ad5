//! What users rely on and a change could take away unnoticed: threads, lifetimes, sizes.

use std::time::Duration;

use super::*;
use crate::{
    api::metadata::MetadataRequest,
    record::{Message, Record},
};

fn send<T: Send>(_: T) {}
fn shared<T: Send + Sync + Clone + 'static>() {}
fn owned<T: Send + 'static>() {}

#[test]
fn handles_cross_threads_and_outlive_their_makers() {
    shared::<Client>();
    shared::<Writer>();
    shared::<ReaderHandle>();
    shared::<Message>();
    shared::<Error>();
    owned::<Reader>();
    owned::<Receipt>();
    owned::<Call<MetadataRequest>>();
    owned::<Batch>();
    owned::<Conn>();
    owned::<Events>();
    owned::<Control>();
    owned::<Dial>();
    owned::<Outbound>();
    owned::<Inbound>();
}

/// Compiled, never run: the futures of all verbs can be spawned on executors with threads.
#[allow(dead_code)]
async fn futures_can_be_spawned(
    client: Client,
    writer: Writer,
    mut reader: Reader,
    mut conn: Conn,
) {
    let record = Record::new("v");
    send(client.ready());
    send(client.call(MetadataRequest::default()));
    send(client.create_topics(&[]));
    send(client.close(Duration::ZERO));
    send(writer.write(record));
    send(writer.write_messages(&[record]));
    send(writer.send(&[record]));
    send(writer.flush());
    send(writer.close(Duration::ZERO));
    send(reader.read_message());
    send(reader.fetch_message());
    send(reader.read_batch());
    send(client.delete_topics(&[]));
    send(client.offsets("t"));
    send(client.list_groups());
    send(conn.ready());
    send(conn.raw(18, 0, bytes::Bytes::new()));
    send(conn.lookup_leader("t", 0));
    send(conn.create_topics(&[]));
    send(conn.offsets());
    send(conn.read_value(&mut []));
    send(conn.write_messages(&[record]));
    send(conn.read_batch(FetchLimits::default()));
    send(conn.read_message(1));
    send(conn.seek(SeekFrom::Start(0)));
}

#[test]
fn what_is_made_for_each_message_stays_small() {
    assert!(size_of::<Message>() <= 56, "{}", size_of::<Message>());
    assert!(
        size_of::<Record<'_>>() <= 112,
        "{}",
        size_of::<Record<'_>>()
    );
    assert!(size_of::<Error>() == size_of::<usize>());
    assert!(size_of::<Receipt>() == size_of::<usize>());
}
