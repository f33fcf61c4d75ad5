//! Lists quotas of users, client ids and addresses (KIP-546, since Kafka 2.6).

messages! {
    /// Says which entities.
    struct DescribeClientQuotasRequest {
        0.. => components: Vec<ComponentData>,
        /// Whether to leave out entities that have parts which no component names.
        0.. => strict: bool,
    }

    /// What one part of an entity's name must be.
    struct ComponentData {
        /// `user`, `client-id` or `ip`.
        0.. => entity_type: String,
        /// 0 is this name, 1 the default of the type, 2 any name.
        0.. => match_type: i8,
        /// The name, for match type 0.
        0.. => match_: Option<String> = Some(String::new()),
    }

    /// The quotas.
    struct DescribeClientQuotasResponse {
        0.. => throttle_time_ms: i32,
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
        0.. => entries: Option<Vec<EntryData>> = Some(Vec::new()),
    }

    /// The quotas of one entity.
    struct EntryData {
        0.. => entity: Vec<EntityData>,
        0.. => values: Vec<ValueData>,
    }

    /// One part of an entity's name.
    struct EntityData {
        0.. => entity_type: String,
        /// Null means the default of the type.
        0.. => entity_name: Option<String> = Some(String::new()),
    }

    /// One quota.
    struct ValueData {
        0.. => key: String,
        0.. => value: f64,
    }
}
