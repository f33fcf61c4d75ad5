//! Changes which versions of features the cluster uses (KIP-584, since Kafka 2.7; KIP-778).

messages! {
    /// Changes features; from version 2 on all or none.
    struct UpdateFeaturesRequest {
        0.. => timeout_ms: i32 = 60000,
        0.. => feature_updates: Vec<FeatureUpdateKey>,
        1.. => validate_only: bool,
    }

    /// One feature.
    struct FeatureUpdateKey {
        0.. => feature: String,
        /// The version to use; 0 turns the feature off.
        0.. => max_version_level: i16,
        0   => allow_downgrade: bool,
        /// 1 goes up only, 2 goes down if nothing is lost, 3 goes down whatever is lost.
        1.. => upgrade_type: i8 = 1,
    }

    /// What became of the change.
    struct UpdateFeaturesResponse {
        0..            => throttle_time_ms: i32,
        0..            => error_code: i16,
        0..            => error_message: Option<String> = Some(String::new()),
        0..=1, or skip => results: Vec<UpdatableFeatureResult>,
    }

    /// What became of one feature.
    struct UpdatableFeatureResult {
        0..=1 => feature: String,
        0..=1 => error_code: i16,
        0..=1 => error_message: Option<String> = Some(String::new()),
    }
}
