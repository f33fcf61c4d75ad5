//! Lists the settings of topics, brokers and the like (KIP-133, since Kafka 0.11).

messages! {
    /// Says which resources.
    struct DescribeConfigsRequest {
        0.. => resources: Vec<DescribeConfigsResource>,
        /// Whether to list what else the value could come from (KIP-226).
        1.. => include_synonyms: bool,
        /// Whether to add what each setting is for (KIP-569).
        3.. => include_documentation: bool,
    }

    /// One resource.
    struct DescribeConfigsResource {
        /// 2 is a topic, 4 a broker, 8 a broker logger, 16 client metrics, 32 a group.
        0.. => resource_type: i8,
        0.. => resource_name: String,
        /// The settings; null means all.
        0.. => configuration_keys: Option<Vec<String>> = Some(Vec::new()),
    }

    /// The settings of each resource.
    struct DescribeConfigsResponse {
        0.. => throttle_time_ms: i32,
        0.. => results: Vec<DescribeConfigsResult>,
    }

    /// The settings of one resource.
    struct DescribeConfigsResult {
        0.. => error_code: i16,
        0.. => error_message: Option<String> = Some(String::new()),
        0.. => resource_type: i8,
        0.. => resource_name: String,
        0.. => configs: Vec<DescribeConfigsResourceResult>,
    }

    /// One setting.
    struct DescribeConfigsResourceResult {
        0..          => name: String,
        /// Null if it is a secret.
        0..          => value: Option<String> = Some(String::new()),
        0..          => read_only: bool,
        /// 1 topic, 2 this broker, 3 all brokers, 4 file, 5 default, 6 broker logger, 7 client metrics, 8 group.
        1.., or skip => config_source: i8 = -1,
        0            => is_default: bool,
        0..          => is_sensitive: bool,
        1.., or skip => synonyms: Vec<DescribeConfigsSynonym>,
        /// 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8 class, 9 password; 0 is not known.
        3.., or skip => config_type: i8,
        3.., or skip => documentation: Option<String> = Some(String::new()),
    }

    /// One place where the value could come from, the strongest first.
    struct DescribeConfigsSynonym {
        1.. => name: String,
        1.. => value: Option<String> = Some(String::new()),
        /// As the setting's `config_source`.
        1.. => source: i8,
    }
}
