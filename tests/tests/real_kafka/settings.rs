//! What the in-process broker answers about configs and groups is what Kafka does, word by word.

use std::time::{Duration, Instant};

use kafka_client_tokio::{
    Conn, Dialer, TopicConfig,
    api::{
        describe_configs::{
            DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse,
        },
        incremental_alter_configs::{
            AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
        },
        list_groups::ListGroupsRequest,
    },
};
use kafka_testing::{
    broker::{Cluster, Config, Release},
    kafka::Kafka,
    server::Server,
};

use crate::{common::Outcome, on_tokio};

type Change = (&'static str, i8, Option<&'static str>);

/// What real brokers are told by the launcher, so that it is no default.
const OF_THE_LAUNCHER: [&str; 2] = ["min.insync.replicas", "segment.index.bytes"];
/// After which a change has reached the broker that describes it.
const LIMIT: Duration = Duration::from_secs(20);
const TOPIC: i8 = 2;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// In this order, on one topic.
const CHANGES: &[Change] = &[
    ("retention.ms", SET, Some(" +7200000 ")),
    ("retention.ms", DELETE, Some("7")),
    ("no.such", DELETE, None),
    ("cleanup.policy", APPEND, Some(" compact ")),
    ("cleanup.policy", APPEND, Some("compact")),
    ("cleanup.policy", APPEND, Some("nope")),
    ("cleanup.policy", SUBTRACT, Some("delete")),
    ("cleanup.policy", SUBTRACT, Some(" compact ")),
    ("cleanup.policy", SET, Some("compact , delete,compact")),
    ("cleanup.policy", SET, Some("")),
    ("cleanup.policy", APPEND, None),
    ("cleanup.policy", DELETE, None),
    (
        "leader.replication.throttled.replicas",
        APPEND,
        Some("0:1,1:2"),
    ),
    ("leader.replication.throttled.replicas", APPEND, Some("*")),
    ("leader.replication.throttled.replicas", SET, Some("*")),
    ("follower.replication.throttled.replicas", SET, Some("0-1")),
    ("segment.ms", APPEND, Some("1")),
    ("no.such", SUBTRACT, Some("1")),
    ("no.such", SET, Some("1")),
    ("segment.ms", SET, None),
    ("segment.ms", 9, Some("1")),
    ("compression.gzip.level", SET, Some("0")),
    ("compression.gzip.level", SET, Some("9")),
    ("compression.lz4.level", SET, Some("18")),
    ("compression.zstd.level", SET, Some("-131073")),
    ("compression.type", SET, Some("zip")),
    ("compression.type", SET, Some(" zstd ")),
    ("max.message.bytes", SET, Some("0x10")),
    ("max.message.bytes", SET, Some(" -1 ")),
    ("message.timestamp.type", SET, Some("LogAppendTime")),
    ("message.timestamp.type", SET, Some("x")),
    ("min.cleanable.dirty.ratio", SET, Some("2")),
    ("min.cleanable.dirty.ratio", SET, Some("x")),
    ("min.cleanable.dirty.ratio", SET, Some("-0.5")),
    ("min.cleanable.dirty.ratio", SET, Some("1e-1")),
    ("preallocate", SET, Some("1")),
    ("preallocate", SET, Some("TRUE")),
    ("remote.storage.enable", SET, Some("true")),
    ("retention.bytes", SET, Some("-2")),
    ("retention.ms", SET, Some("-2")),
    ("retention.ms", SET, Some("1_0")),
    ("segment.bytes", SET, Some("1048575")),
    ("segment.index.bytes", SET, Some("3")),
    ("segment.ms", SET, Some("0")),
    ("delete.retention.ms", SET, Some("-1")),
    ("file.delete.delay.ms", SET, Some("-1")),
    ("flush.messages", SET, Some("0")),
    ("flush.ms", SET, Some("-1")),
    ("index.interval.bytes", SET, Some("-1")),
    ("local.retention.bytes", SET, Some("-3")),
    ("local.retention.ms", SET, Some("-3")),
    ("message.timestamp.after.max.ms", SET, Some("-1")),
    ("message.timestamp.before.max.ms", SET, Some("-1")),
    ("min.insync.replicas", SET, Some("0")),
    ("segment.jitter.ms", SET, Some("-1")),
    ("message.format.version", SET, Some("2.0")),
    ("max.compaction.lag.ms", SET, Some("8")),
    ("min.compaction.lag.ms", SET, Some("9")),
];

/// What else may be wrong with a request: a type, a name and changes.
const ODD: &[(i8, &str, &[Change])] = &[
    (TOPIC, "settings", &[]),
    (
        TOPIC,
        "settings",
        &[
            ("retention.ms", SET, Some("x")),
            ("max.message.bytes", SET, Some("x")),
        ],
    ),
    (
        TOPIC,
        "settings",
        &[
            ("retention.ms", SET, Some("x")),
            ("no.such", SET, Some("x")),
        ],
    ),
    (
        TOPIC,
        "settings",
        &[
            ("retention.ms", SET, Some("1")),
            ("retention.ms", DELETE, None),
        ],
    ),
    (TOPIC, "missing", &[]),
    (TOPIC, "missing", &[("retention.ms", SET, Some("1"))]),
    (TOPIC, "missing", &[("retention.ms", SET, Some("x"))]),
    (TOPIC, "no spaces", &[("retention.ms", SET, Some("x"))]),
    (TOPIC, "no spaces", &[("retention.ms", APPEND, Some("x"))]),
    (TOPIC, "", &[("retention.ms", SET, Some("1"))]),
    (3, "settings", &[("retention.ms", SET, Some("1"))]),
];

/// Kafka 4.3 and the broker here are asked the same.
pub(crate) fn are_answered_alike(kafka: &Kafka) -> Outcome {
    let server = Server::start(Cluster::new(Config::new()))?;
    on_tokio(async {
        let real = Dialer::new().dial(&kafka.bootstrap()).await?;
        let ours = Dialer::new().dial(&server.bootstrap()).await?;
        let topic = [TopicConfig::new("settings")
            .replication_factor(1)
            .partitions(1)
            .config("retention.ms", " 3600000 ")];
        for conn in [&real, &ours] {
            conn.create_topics(&topic).await?;
        }
        for version in 1..=4 {
            same_descriptions(&real, &ours, version, "settings").await?;
        }
        for (validate_only, change) in [(true, CHANGES), (false, CHANGES)]
            .into_iter()
            .flat_map(|(only, changes)| changes.iter().map(move |change| (only, *change)))
        {
            same_changes(
                &real,
                &ours,
                validate_only,
                &[(TOPIC, "settings", &[change])],
            )
            .await?;
            same_descriptions(&real, &ours, 4, "settings").await?;
        }
        for odd in ODD {
            same_changes(&real, &ours, false, &[*odd]).await?;
        }
        let change: &[Change] = &[("segment.ms", SET, Some("5"))];
        let twice = ["settings", "missing", "settings"].map(|name| (TOPIC, name, change));
        same_changes(&real, &ours, false, &twice).await?;
        for name in ["settings", "missing", "no spaces", ""] {
            same_descriptions(&real, &ours, 4, name).await?;
        }
        for version in 0..=5 {
            let groups = real
                .request_at(version, ListGroupsRequest::default())
                .await?;
            assert_eq!(
                groups,
                ours.request_at(version, ListGroupsRequest::default())
                    .await?
            );
        }
        Ok(())
    })
}

/// Version 0 of DescribeConfigs, which 4.x does not serve any more.
pub(crate) fn of_an_older_release_are_described_alike(kafka: &Kafka, release: Release) -> Outcome {
    let config = Config::new().as_version(release);
    let server = Server::start(Cluster::new(config))?;
    on_tokio(async {
        let real = Dialer::new().dial(&kafka.bootstrap()).await?;
        let ours = Dialer::new().dial(&server.bootstrap()).await?;
        let topic = [TopicConfig::new("settings")
            .replication_factor(1)
            .partitions(1)
            .config("retention.ms", "3600000")];
        for conn in [&real, &ours] {
            conn.create_topics(&topic).await?;
        }
        let keys = ["retention.ms", "cleanup.policy", "segment.bytes", "no.such"];
        let ask = |conn: &Conn| conn.request_at(0, question("settings", Some(&keys), false));
        let start = Instant::now();
        loop {
            let (real, ours) = (plain(ask(&real).await?), plain(ask(&ours).await?));
            if real == ours || start.elapsed() > LIMIT {
                assert_eq!(real, ours);
                return Ok(());
            }
        }
    })
}

async fn same_changes(
    real: &Conn,
    ours: &Conn,
    validate_only: bool,
    resources: &[(i8, &str, &[Change])],
) -> Outcome {
    let each = |(kind, name, changes): &(i8, &str, &[Change])| {
        AlterConfigsResource::build(|r| {
            (r.resource_type, r.resource_name) = (*kind, (*name).to_owned());
            let change = |(name, operation, value): &Change| {
                AlterableConfig::build(|c| {
                    c.name = (*name).to_owned();
                    c.config_operation = *operation;
                    c.value = value.map(str::to_owned);
                })
            };
            r.configs = changes.iter().map(change).collect();
        })
    };
    let request = IncrementalAlterConfigsRequest::build(|r| {
        r.resources = resources.iter().map(each).collect();
        r.validate_only = validate_only;
    });
    let answer = real.request_at(1, request.clone()).await?;
    assert_eq!(answer, ours.request_at(1, request).await?, "{resources:?}");
    Ok(())
}

/// A change takes a moment to the broker that describes it, with KRaft.
async fn same_descriptions(real: &Conn, ours: &Conn, version: i16, topic: &str) -> Outcome {
    let ours = plain(
        ours.request_at(version, question(topic, None, true))
            .await?,
    );
    let start = Instant::now();
    loop {
        let real = plain(
            real.request_at(version, question(topic, None, true))
                .await?,
        );
        if real == ours || start.elapsed() > LIMIT {
            assert_eq!(real, ours, "version {version}");
            return Ok(());
        }
    }
}

fn question(topic: &str, keys: Option<&[&str]>, synonyms: bool) -> DescribeConfigsRequest {
    DescribeConfigsRequest::build(|r| {
        r.include_synonyms = synonyms;
        r.resources.push(DescribeConfigsResource::build(|resource| {
            (resource.resource_type, resource.resource_name) = (TOPIC, topic.to_owned());
            let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
            resource.configuration_keys = keys.map(owned);
        }));
    })
}

/// In one order, which there is none of in Kafka, and without what only the launcher makes different.
fn plain(mut response: DescribeConfigsResponse) -> DescribeConfigsResponse {
    for result in &mut response.results {
        result
            .configs
            .retain(|c| c.config_source == 1 || !OF_THE_LAUNCHER.contains(&&*c.name));
        result.configs.sort_by(|a, b| a.name.cmp(&b.name));
    }
    response
}
