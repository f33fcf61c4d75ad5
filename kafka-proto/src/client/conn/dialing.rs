//! What the dialers of all adapters do with connections: one text, with `.await` or without.

use crate::{
    error::{Error, ErrorKind},
    machine::handshake::ExpectVersions,
};

/// The methods of a `Dialer` that are about single connections; for adapters.
///
/// They are built on two of the adapter's own: `open_conn_at(rung, address, topic, partition, deadline)`, which greets from
/// that rung of the handshake's ladder, and `dial_until()`, the moment by which a dial must have ended.
#[doc(hidden)]
#[macro_export]
macro_rules! dialer_connections {
    ([$($async:tt)?] [$($await:tt)*]) => {
        /// Connects to one broker, for requests of any kind.
        ///
        /// # Errors
        ///
        /// No connection could be made within [`timeout`](Self::timeout), or the peer is no Kafka broker.
        #[doc(alias = "Dial")]
        #[doc(alias = "DialContext")]
        pub $($async)? fn dial(&self, address: &str) -> Result<Conn, $crate::error::Error> {
            self.open_conn(address, "", 0, self.dial_until()) $($await)*
        }

        /// Connects to the leader of a partition; `address` is only asked for it.
        ///
        /// All of it, the lookup included, has [`timeout`](Self::timeout).
        ///
        /// # Errors
        ///
        /// As [`dial`](Self::dial); also if the partition does not exist or has no leader.
        #[doc(alias = "DialLeader")]
        pub $($async)? fn dial_leader(
            &self,
            address: &str,
            topic: &str,
            partition: i32,
        ) -> Result<Conn, $crate::error::Error> {
            let until = self.dial_until();
            let asked = self.open_conn(address, "", 0, until) $($await)*?;
            asked.set_deadline(Some(until));
            let leader = asked.lookup_leader(topic, partition) $($await)*?;
            asked.close();
            let address = leader.address().to_string();
            let conn = self.open_conn(&address, topic, partition, until) $($await)*?;
            Ok(conn.of_broker(leader))
        }

        /// Connects to the leader that a description of a partition names: one from
        /// [`lookup_partition`](Self::lookup_partition).
        ///
        /// # Errors
        ///
        /// As [`dial`](Self::dial); also if the description names no leader.
        #[doc(alias = "DialPartition")]
        pub $($async)? fn dial_partition(
            &self,
            partition: &$crate::client::Partition,
        ) -> Result<Conn, $crate::error::Error> {
            let leader = partition.require_leader()?.clone();
            let (address, until) = (leader.address().to_string(), self.dial_until());
            let conn = self.open_conn(&address, &partition.topic, partition.id, until) $($await)*?;
            Ok(conn.of_broker(leader))
        }

        /// Asks the broker at `address` for one partition, a few times while it does not know it.
        ///
        /// # Errors
        ///
        /// As [`dial`](Self::dial); also if the partition does not exist.
        #[doc(alias = "LookupPartition")]
        pub $($async)? fn lookup_partition(
            &self,
            address: &str,
            topic: &str,
            partition: i32,
        ) -> Result<$crate::client::Partition, $crate::error::Error> {
            let until = self.dial_until();
            let asked = self.open_conn(address, "", 0, until) $($await)*?;
            asked.set_deadline(Some(until));
            asked.lookup_partition(topic, partition) $($await)*
        }

        /// Asks the broker at `address` for all partitions of a topic; one that does not exist has none.
        ///
        /// # Errors
        ///
        /// As [`dial`](Self::dial); also if the broker refuses to describe the topic.
        #[doc(alias = "LookupPartitions")]
        pub $($async)? fn lookup_partitions(
            &self,
            address: &str,
            topic: &str,
        ) -> Result<Vec<$crate::client::Partition>, $crate::error::Error> {
            let until = self.dial_until();
            let asked = self.open_conn(address, "", 0, until) $($await)*?;
            asked.set_deadline(Some(until));
            asked.read_partitions(&[topic]) $($await)*
        }

        /// Asks the broker at `address` for the leader of a partition, a few times while there is none.
        ///
        /// # Errors
        ///
        /// As [`dial`](Self::dial); also if the partition does not exist or has no leader.
        #[doc(alias = "LookupLeader")]
        pub $($async)? fn lookup_leader(
            &self,
            address: &str,
            topic: &str,
            partition: i32,
        ) -> Result<$crate::client::Broker, $crate::error::Error> {
            let until = self.dial_until();
            let asked = self.open_conn(address, "", 0, until) $($await)*?;
            asked.set_deadline(Some(until));
            asked.lookup_leader(topic, partition) $($await)*
        }

        /// A connection that is ready by `deadline`. A broker may just hang up on a greeting that it does not know: the
        /// next one is lower.
        $($async)? fn open_conn(
            &self,
            address: &str,
            topic: &str,
            partition: i32,
            deadline: ::std::time::Instant,
        ) -> Result<Conn, $crate::error::Error> {
            let (mut rung, mut hung_up) = (0, None);
            loop {
                let opened = self.open_conn_at(rung, address, topic, partition, deadline) $($await)*;
                match opened {
                    Err(error) if $crate::client::may_greet_lower(&error, rung) => {
                        hung_up = Some(error);
                        rung += 1;
                    }
                    // that it cannot be reached any more says less than that it hung up
                    Err(error) if error.kind() == $crate::error::ErrorKind::Unreachable => {
                        return Err(hung_up.unwrap_or(error));
                    }
                    opened => return opened,
                }
            }
        }
    };
}

/// Whether a dial that failed may succeed with a greeting one rung lower: the peer hung up on this one.
#[doc(hidden)]
pub fn may_greet_lower(error: &Error, rung: usize) -> bool {
    error.kind() == ErrorKind::Disconnected && rung + 1 < ExpectVersions::LADDER.len()
}

/// Functions beside the `Dialer` of an adapter that do what its methods do, with the defaults; for adapters.
#[doc(hidden)]
#[macro_export]
macro_rules! dial_functions {
    ([$($async:tt)?] [$($await:tt)*]) => {
        /// The name of a client that was given none: `program@host (CRATE)`.
        ///
        /// The host is what `HOSTNAME` says, or the kernel. Source: acceptance CT-09.
        #[doc(alias = "DefaultClientID")]
        pub fn default_client_id() -> String {
            let program = ::std::env::args_os().next().and_then(|path| {
                let name = ::std::path::Path::new(&path).file_name()?;
                Some(name.to_string_lossy().into_owned())
            });
            let kernel = || ::std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
            let host = ::std::env::var("HOSTNAME").ok().or_else(kernel);
            let known = |name: Option<String>| {
                let name = name.map(|name| name.trim().to_owned());
                name.filter(|name| !name.is_empty())
                    .unwrap_or_else(|| "unknown".to_owned())
            };
            let crate_name = ::std::env!("CARGO_PKG_NAME");
            ::std::format!("{}@{} ({crate_name})", known(program), known(host))
        }

        /// Connects to the cluster that these brokers belong to, `"a:9092,b:9092"`: the same as
        /// `Dialer::new().connect(brokers)`.
        ///
        /// # Errors
        ///
        /// As [`Dialer::connect`].
        pub $($async)? fn connect(brokers: &str) -> Result<Client, $crate::error::Error> {
            Dialer::new().connect(brokers) $($await)*
        }

        /// Connects to one broker: the same as `Dialer::new().dial(address)`.
        ///
        /// # Errors
        ///
        /// As [`Dialer::dial`].
        #[doc(alias = "DialContext")]
        pub $($async)? fn dial(address: &str) -> Result<Conn, $crate::error::Error> {
            Dialer::new().dial(address) $($await)*
        }

        /// Connects to the leader of a partition: the same as `Dialer::new().dial_leader(address, topic, partition)`.
        ///
        /// # Errors
        ///
        /// As [`Dialer::dial_leader`].
        pub $($async)? fn dial_leader(
            address: &str,
            topic: &str,
            partition: i32,
        ) -> Result<Conn, $crate::error::Error> {
            Dialer::new().dial_leader(address, topic, partition) $($await)*
        }

        /// Connects to the leader that a description of a partition names: the same as
        /// `Dialer::new().dial_partition(partition)`.
        ///
        /// # Errors
        ///
        /// As [`Dialer::dial_partition`].
        pub $($async)? fn dial_partition(
            partition: &$crate::client::Partition,
        ) -> Result<Conn, $crate::error::Error> {
            Dialer::new().dial_partition(partition) $($await)*
        }

        /// Asks for one partition: the same as `Dialer::new().lookup_partition(address, topic, partition)`.
        ///
        /// # Errors
        ///
        /// As [`Dialer::lookup_partition`].
        pub $($async)? fn lookup_partition(
            address: &str,
            topic: &str,
            partition: i32,
        ) -> Result<$crate::client::Partition, $crate::error::Error> {
            Dialer::new().lookup_partition(address, topic, partition) $($await)*
        }

        /// Asks for all partitions of a topic: the same as `Dialer::new().lookup_partitions(address, topic)`.
        ///
        /// # Errors
        ///
        /// As [`Dialer::lookup_partitions`].
        pub $($async)? fn lookup_partitions(
            address: &str,
            topic: &str,
        ) -> Result<Vec<$crate::client::Partition>, $crate::error::Error> {
            Dialer::new().lookup_partitions(address, topic) $($await)*
        }

        /// Asks for the leader of a partition: the same as `Dialer::new().lookup_leader(address, topic, partition)`.
        ///
        /// # Errors
        ///
        /// As [`Dialer::lookup_leader`].
        pub $($async)? fn lookup_leader(
            address: &str,
            topic: &str,
            partition: i32,
        ) -> Result<$crate::client::Broker, $crate::error::Error> {
            Dialer::new().lookup_leader(address, topic, partition) $($await)*
        }
    };
}
