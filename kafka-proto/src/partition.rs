//! Which partition a record goes to.
//!
//! Two things are here. The hashes, as pure functions: other clients in the world spread keys by them, and whoever shares
//! a topic with one must do the same.
//!
//! | function | who does it so |
//! |---|---|
//! | [`murmur2_partition`] | the Java client; librdkafka's `murmur2`; ours |
//! | [`crc32_partition`] | librdkafka's `consistent` |
//! | [`fnv1a_partition`] | Sarama's default, and so kafka-go's `Hash` |
//! | [`fnv1a_positive_partition`] | Sarama's reference hash |
//!
//! And what decides for records of any kind: the trait [`Balancer`], and one type for each way to do it.
//!
//! ```
//! use kafka_proto::partition::{Balancer, HashBalancer, Partitions, RoundRobin};
//! use kafka_proto::record::Record;
//!
//! let partitions = Partitions::new(3, &[0, 1, 2]);
//! let mut hash = HashBalancer::default();
//! assert_eq!(hash.balance(&Record::new("").key("blah"), &partitions), 1);
//! let mut turns = RoundRobin::default();
//! assert_eq!([(); 4].map(|()| turns.balance(&Record::new(""), &partitions)), [0, 1, 2, 0]);
//! // a closure will do
//! let mut last = |_: &Record<'_>, partitions: &Partitions<'_>| partitions.count() as i32 - 1;
//! assert_eq!(last.balance(&Record::new(""), &partitions), 2);
//! ```

mod balancers;
mod hash;
mod sticky;

pub use balancers::{
    Balancer, Crc32Balancer, HashBalancer, LeastBytes, Murmur2Balancer, Partitions, ReferenceHash,
    RoundRobin,
};
pub use hash::{
    crc32, crc32_partition, fnv1a, fnv1a_partition, fnv1a_positive_partition, murmur2,
    murmur2_partition,
};
pub use sticky::{Sticky, UniformSticky};
