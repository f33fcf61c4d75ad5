//! What a cluster is made of: how many brokers, what they announce, what they keep.

use std::{collections::BTreeMap, ops::RangeInclusive};

use kafka_proto::api::ApiKey;

use super::{api, release::Release, sasl::Sasl};

/// How a [`Cluster`](super::Cluster) is built.
///
/// ```
/// use kafka_proto::api::ApiKey;
/// use kafka_testing::broker::Config;
///
/// // three brokers that speak Fetch as Kafka 2.4 did
/// let config = Config::new().brokers(3).versions(ApiKey::Fetch, 4..=11);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Config {
    pub(super) brokers: i32,
    pub(super) auto_create_topics: bool,
    pub(super) default_partitions: i32,
    pub(super) default_replication_factor: Option<i16>,
    pub(super) discard: bool,
    pub(super) check_records: bool,
    pub(super) log_limit: Option<u64>,
    pub(super) sasl: Option<Sasl>,
    /// What brokers announce and how they behave where it depends on that.
    pub(super) release: Release,
    /// What differs from the release; `None` is not announced at all.
    versions: BTreeMap<ApiKey, Option<RangeInclusive<i16>>>,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// One broker, one partition a topic, no topics made on demand, everything kept.
    pub fn new() -> Self {
        Self {
            brokers: 1,
            auto_create_topics: false,
            default_partitions: 1,
            default_replication_factor: None,
            discard: false,
            check_records: true,
            log_limit: None,
            sasl: None,
            release: Release::V4_3,
            versions: BTreeMap::new(),
        }
    }

    /// Sets how many brokers there are; their ids count from 1. Default: 1.
    ///
    /// # Panics
    ///
    /// If there would be none.
    #[track_caller]
    pub fn brokers(mut self, count: i32) -> Self {
        assert!(count > 0, "a cluster has at least one broker, not {count}");
        self.brokers = count;
        self
    }

    /// Sets whether a Metadata request makes the topics that it names. Default: false, as in `auto.create.topics.enable`
    /// of careful operators (Kafka's own default is true).
    pub fn auto_create_topics(mut self, yes: bool) -> Self {
        self.auto_create_topics = yes;
        self
    }

    /// Sets how many partitions a topic gets when nobody says (`num.partitions`). Default: 1.
    ///
    /// # Panics
    ///
    /// If there would be none.
    #[track_caller]
    pub fn default_partitions(mut self, count: i32) -> Self {
        assert!(count > 0, "a topic has at least one partition, not {count}");
        self.default_partitions = count;
        self
    }

    /// Sets how many brokers hold a partition when nobody says (`default.replication.factor`). Default: all, so that any
    /// live broker can take over.
    ///
    /// # Panics
    ///
    /// If there would be none.
    #[track_caller]
    pub fn default_replication_factor(mut self, count: i16) -> Self {
        assert!(
            count > 0,
            "a partition has at least one replica, not {count}"
        );
        self.default_replication_factor = Some(count);
        self
    }

    /// Has brokers announce what those of a release do, and refuse the rest. Default: 4.3.
    ///
    /// ```
    /// use kafka_testing::broker::{Config, Release};
    ///
    /// // no idempotence, no headers, and messages in the format before batches
    /// let config = Config::new().as_version(Release::V0_10_2);
    /// ```
    ///
    /// What one API does within a version is what Kafka 4.3 does, or the last release that had the version.
    pub fn as_version(mut self, release: Release) -> Self {
        self.release = release;
        self
    }

    /// Sets which versions of an API are announced, and refuses the others, so that a test meets an older broker.
    ///
    /// What is announced beyond the versions that this broker implements (see each file of `broker/api`) closes the
    /// connection that uses it, as a broker does that announced too much.
    pub fn versions(mut self, api: ApiKey, versions: RangeInclusive<i16>) -> Self {
        self.versions.insert(api, Some(versions));
        self
    }

    /// Leaves an API out: brokers neither announce nor answer it.
    pub fn without(mut self, api: ApiKey) -> Self {
        self.versions.insert(api, None);
        self
    }

    /// Sets whether written batches are checked and counted but thrown away, so that benchmarks of writers measure the
    /// writer. The start of a log follows its end. Default: false.
    pub fn discard(mut self, yes: bool) -> Self {
        self.discard = yes;
        self
    }

    /// Sets whether the records inside uncompressed batches are read through before they are accepted, as Kafka does;
    /// it costs about 20 ns a record. Default: true; never done while [`discard`](Self::discard) is set.
    pub fn check_records(mut self, yes: bool) -> Self {
        self.check_records = yes;
        self
    }

    /// Sets how many bytes a partition keeps (`retention.bytes`, but by batch and at once). Default: no limit.
    pub fn log_limit(mut self, bytes: u64) -> Self {
        self.log_limit = Some(bytes);
        self
    }

    /// Has brokers ask everybody who they are. Default: nobody.
    ///
    /// ```
    /// use kafka_testing::broker::{Config, Sasl};
    ///
    /// let config = Config::new().sasl(Sasl::new().user("alice", "secret"));
    /// ```
    pub fn sasl(mut self, sasl: Sasl) -> Self {
        self.sasl = Some(sasl);
        self
    }

    /// The versions that ApiVersions of a broker of `release` lists for `api`.
    pub(super) fn announced(&self, release: Release, api: ApiKey) -> Option<RangeInclusive<i16>> {
        match self.versions.get(&api) {
            Some(versions) => versions.clone(),
            None => release
                .announces()
                .find(|(key, _)| *key == api)
                .and_then(|(_, versions)| versions),
        }
    }

    /// Whether a broker of `release` answers a request of this version.
    pub(super) fn serves(&self, release: Release, api: ApiKey, version: i16) -> bool {
        let within =
            |range: Option<RangeInclusive<i16>>| range.is_some_and(|r| r.contains(&version));
        within(self.announced(release, api))
            && within(api::implemented(api))
            && !self.only_claims(release, api, version)
    }

    /// Brokers of 4.x announce Produce from 0 and refuse it below 3: librdkafka would not talk to them otherwise
    /// (KAFKA-18659, `ApiKeys.PRODUCE_API_VERSIONS_RESPONSE_MIN_VERSION`).
    fn only_claims(&self, release: Release, api: ApiKey, version: i16) -> bool {
        let set = self.versions.contains_key(&api);
        api == ApiKey::Produce && version < 3 && release >= Release::V4_0 && !set
    }

    pub(super) fn replication_factor(&self) -> i16 {
        let all = i16::try_from(self.brokers).unwrap_or(i16::MAX);
        self.default_replication_factor.unwrap_or(all)
    }
}
