//! Asks a broker which APIs it serves in which versions (KIP-35, since Kafka 0.10; KIP-511).
//!
//! The first request of a connection. Its response has header version 0 in all versions, and is of version 0 if the
//! broker
//! does not know the version of the request.

messages! {
    /// Says which software asks.
    struct ApiVersionsRequest {
        /// Letters, digits, dashes and dots; the broker counts connections by it.
        3.., or skip => client_software_name: String,
        3.., or skip => client_software_version: String,
    }

    /// What the broker serves, and which features the cluster has (KIP-584).
    struct ApiVersionsResponse {
        0..                 => error_code: i16,
        0..                 => api_keys: Vec<ApiVersion>,
        1.., or skip        => throttle_time_ms: i32,
        3.., tag 0, or skip => supported_features: Vec<SupportedFeatureKey>,
        /// Grows with every change of the finalized features; -1 means that the broker knows none.
        3.., tag 1, or skip => finalized_features_epoch: i64 = -1,
        /// The features in the versions that the whole cluster uses.
        3.., tag 2, or skip => finalized_features: Vec<FinalizedFeatureKey>,
        /// Whether the broker is ready for the change from ZooKeeper to KRaft (KIP-866).
        3.., tag 3, or skip => zk_migration_ready: bool,
    }

    /// The versions of one API.
    struct ApiVersion {
        0.. => api_key: i16,
        0.. => min_version: i16,
        0.. => max_version: i16,
    }

    /// The versions of one feature that the broker could use.
    struct SupportedFeatureKey {
        3.. => name: String,
        3.. => min_version: i16,
        3.. => max_version: i16,
    }

    /// The versions of one feature that the cluster uses.
    struct FinalizedFeatureKey {
        3.. => name: String,
        3.. => max_version_level: i16,
        3.. => min_version_level: i16,
    }
}
