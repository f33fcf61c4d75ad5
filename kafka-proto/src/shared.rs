//! What the adapters show of this crate as their own: one list for all.

/// What every adapter shows.
pub mod everywhere {
    #[cfg(feature = "tls")]
    pub use crate::config::TlsConfig;
    pub use crate::{
        api,
        api::{api_versions::ApiVersion, list_groups::ListedGroup},
        client::{
            Batch, BatchMessages, Broker, ConfigEntry, ConnCloser, Event, FIRST_OFFSET,
            FetchLimits, LAST_OFFSET, Partition, PartitionOffsets, ReaderHandle, SeekFrom,
            TopicConfig, TopicResult,
        },
        config::{
            Acks, Address, Balancer, Config, OffsetReset, ReaderConfig, Sasl, StartOffset,
            WriterConfig,
        },
        error::{
            ConfigError, Error, ErrorCode, ErrorKind, Fault, Outcome, Scope, Undelivered,
            WriteError, Written,
        },
        record::{
            CodecError, Codecs, Compression, CompressionCodec, Header, Message, Record, RecordView,
        },
        sasl, stats,
        stats::{DurationStats, ReaderStats, SummaryStats, WriterStats},
    };
}

/// The handles whose calls are futures, which the adapters for async runtimes show.
pub mod handles {
    pub use crate::client::{Call, Client, Conn, Events, Reader, Receipt, Writer};
}
