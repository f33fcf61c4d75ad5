//! What a partition knows of transactions: which are open, and which were aborted.
//!
//! There is no coordinator here yet: a test writes transactional batches and markers by
//! [`Cluster::append`](super::Cluster::append) and [`Cluster::end_transaction`](super::Cluster::end_transaction).

use std::collections::BTreeMap;

use kafka_proto::record::{BatchBuilder, BatchHeader, Record};

/// As Kafka's `ProducerStateManager` and `TransactionIndex`, for one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Transactions {
    /// Where each open one begins, by producer.
    open: BTreeMap<i64, i64>,
    aborted: Vec<Aborted>,
}

/// An aborted transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Aborted {
    pub(super) producer_id: i64,
    pub(super) first_offset: i64,
    /// That of its marker.
    pub(super) last_offset: i64,
}

impl Transactions {
    /// Takes note of a batch that was appended; `aborts` says which way a marker goes.
    pub(super) fn appended(&mut self, header: &BatchHeader, aborts: bool) {
        if header.attributes & BatchHeader::TRANSACTIONAL == 0 {
            return;
        }
        if !header.is_control() {
            let first = self.open.entry(header.producer_id);
            first.or_insert(header.base_offset);
            return;
        }
        let Some(first_offset) = self.open.remove(&header.producer_id) else {
            return;
        };
        if aborts {
            self.aborted.push(Aborted {
                producer_id: header.producer_id,
                first_offset,
                last_offset: header.last_offset(),
            });
        }
    }

    /// Where the first open one begins.
    pub(super) fn first_open(&self) -> Option<i64> {
        self.open.values().min().copied()
    }

    /// The aborted ones of which something lies from `from` up to `until`.
    pub(super) fn aborted_in(&self, from: i64, until: i64) -> impl Iterator<Item = &Aborted> {
        let overlaps = move |a: &&Aborted| a.last_offset >= from && a.first_offset < until;
        self.aborted.iter().filter(overlaps)
    }

    /// Forgets what began at or after `end`, which was cut off.
    pub(super) fn truncate(&mut self, end: i64) {
        self.open.retain(|_, first| *first < end);
        let reopened = self.aborted.extract_if(.., |a| a.last_offset >= end);
        for aborted in reopened.collect::<Vec<_>>() {
            if aborted.first_offset < end {
                self.open.insert(aborted.producer_id, aborted.first_offset);
            }
        }
    }
}

/// A marker that ends a transaction, as `EndTransactionMarker` writes it.
pub(super) fn marker(producer_id: i64, epoch: i16, commit: bool, unix_ms: i64) -> Vec<u8> {
    // version 0, and 0 for abort or 1 for commit; then version 0 and the epoch of the coordinator
    let key = [0, 0, 0, u8::from(commit)];
    let value = [0; 6];
    let mut builder = BatchBuilder::new(Vec::new());
    builder.push(&Record::new(&value).key(&key), unix_ms);
    let (mut header, body) = builder.finish();
    header.attributes |= BatchHeader::TRANSACTIONAL | BatchHeader::CONTROL;
    (header.producer_id, header.producer_epoch) = (producer_id, epoch);
    [&header.write(&body)[..], &body].concat()
}
