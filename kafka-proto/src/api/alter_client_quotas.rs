//! Changes quotas of users, client ids and addresses (KIP-546, since Kafka 2.6).

messages! {
    /// Sets and removes quotas.
    struct AlterClientQuotasRequest {
        0.. => entries: Vec<RequestEntryData>,
        0.. => validate_only: bool,
    }

    /// The changes for one entity.
    struct RequestEntryData {
        /// What together names the entity.
        0.. => entity: Vec<EntityData>,
        0.. => ops: Vec<OpData>,
    }

    /// One part of an entity's name.
    struct EntityData {
        /// `user`, `client-id` or `ip`.
        0.. => entity_type: String,
        /// Null means the default of the type.
        0.. => entity_name: Option<String> = Some(String::new()),
    }

    /// One change.
    struct OpData {
        /// The quota, for instance `producer_byte_rate`.
        0.. => key: String,
        0.. => value: f64,
        /// Whether the quota is removed, whatever its value says.
        0.. => remove: bool,
    }

    /// What became of each entity.
    struct AlterClientQuotasResponse {
        0.. => throttle_time_ms: i32,
        0.. => entries: Vec<ResponseEntryData>,
    }

    /// What became of one entity.
    struct ResponseEntryData {
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
        0.. => entity: Vec<EntityData>,
    }
}
