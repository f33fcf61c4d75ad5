//! What ACLs refuse: topics, groups and the cluster, each for itself, told by its code. One text for all runtimes.
//!
//! Bob may do nothing but what Alice grants him on the way. He never may write: that would let him have a producer id,
//! which he is refused as something of the cluster.

use std::time::{Duration, Instant};

use kafka_client_tokio::{
    Error, ErrorCode, ErrorKind, Fault, Record, Sasl, Scope, TopicConfig,
    api::{
        create_acls::{AclCreation, CreateAclsRequest},
        delete_groups::DeleteGroupsRequest,
        describe_acls::DescribeAclsRequest,
        describe_configs::{DescribeConfigsRequest, DescribeConfigsResource},
        describe_groups::DescribeGroupsRequest,
        find_coordinator::FindCoordinatorRequest,
        incremental_alter_configs::{AlterConfigsResource, IncrementalAlterConfigsRequest},
        join_group::{JoinGroupRequest, JoinGroupRequestProtocol},
        offset_commit::{
            OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
        },
        offset_fetch::OffsetFetchRequest,
    },
};

use crate::{
    places::{Place, Way, tls},
    runtimes::{Host, Runtime},
};

/// How long a rule may take to hold, and what coordinators need to be made.
const LIMIT: Duration = Duration::from_secs(30);

// what the numbers in rules mean stands at `describe_acls`
const ANY: i8 = 1;
const TOPIC: i8 = 2;
const GROUP: i8 = 3;
const LITERAL: i8 = 3;
const READ: i8 = 3;
const DESCRIBE: i8 = 8;
const ALLOW: i8 = 3;
/// The type of a broker among the resources that have settings.
const BROKER: i8 = 4;

/// Fault 57, on an async runtime.
pub(crate) fn refuse(runtime: Runtime, place: &Place) {
    let host = Host::start(runtime);
    let alice = host.dialer().configure(|c| Way::SaslSslPlain.configure(c));
    let bob = host.dialer().configure(|c| c.tls(tls()).sasl(bob()));
    let (brokers, topic, group) = names(place);
    host.run(async move {
        let alices = alice.dial(&brokers).await.expect("connected");
        let alice = alice.connect(&brokers).await.expect("connected");
        let conn = bob.dial(&brokers).await.expect("bob may connect");
        let bob = bob.connect(&brokers).await.expect("bob may connect");
        awaiting::topics(&alice, &bob, &conn, &topic).await;
        awaiting::groups((&alice, &alices), (&bob, &conn), (&topic, &group)).await;
        awaiting::cluster(&alice, &bob, &conn, &topic).await;
        awaiting::the_rest_goes_on(&alice, &bob, &topic).await;
    });
    host.shut_down();
}

/// The same with plain threads.
pub(crate) fn refuse_blocking(place: &Place) {
    let dialer = kafka_client_blocking::Dialer::new;
    let as_alice = || dialer().configure(|c| Way::SaslSslPlain.configure(c));
    let as_bob = || dialer().configure(|c| c.tls(tls()).sasl(bob()));
    let (brokers, topic, group) = names(place);
    let alices = as_alice().dial(&brokers).expect("connected");
    let alice = as_alice().connect(&brokers).expect("connected");
    let conn = as_bob().dial(&brokers).expect("bob may connect");
    let bob = as_bob().connect(&brokers).expect("bob may connect");
    blocking::topics(&alice, &bob, &conn, &topic);
    blocking::groups((&alice, &alices), (&bob, &conn), (&topic, &group));
    blocking::cluster(&alice, &bob, &conn, &topic);
    blocking::the_rest_goes_on(&alice, &bob, &topic);
}

fn bob() -> Sasl {
    Sasl::plain("bob", "bob-secret").expect("credentials")
}

/// Brokers, and a topic and a group that nobody else uses.
fn names(place: &Place) -> (String, String, String) {
    (place.brokers(Way::SaslSslPlain), place.name(), place.name())
}

/// What every refusal is, typed.
#[track_caller]
fn assert_refused(error: &Error, code: ErrorCode, scope: &Scope) {
    let (said, debugged) = (error.to_string(), format!("{error:?}"));
    assert_eq!(error.code(), Some(code), "{said}");
    assert_eq!(
        (error.kind(), error.fault()),
        (ErrorKind::Refused, Fault::Broker),
        "{said}"
    );
    assert!(!error.is_retriable(), "{said}");
    assert_eq!(error.scope(), scope, "{said}");
    assert!(said.contains(code.title()), "{said}");
    if let Scope::Topic(topic) | Scope::Partition { topic, .. } = scope {
        assert!(said.contains(&**topic), "{said}");
    }
    for text in [said, debugged] {
        assert!(!text.contains("-secret"), "{text}");
    }
}

/// What a code within a raw response is.
#[track_caller]
fn assert_code(code: i16, expected: ErrorCode) {
    let code = ErrorCode(code);
    assert_eq!(code, expected);
    assert!(!code.is_retriable());
}

/// Lets bob do something.
fn rule(resource_type: i8, name: &str, operation: i8) -> CreateAclsRequest {
    CreateAclsRequest::build(|r| {
        r.creations = vec![AclCreation::build(|acl| {
            (acl.resource_type, acl.resource_name) = (resource_type, name.to_owned());
            acl.resource_pattern_type = LITERAL;
            (acl.principal, acl.host) = ("User:bob".to_owned(), "*".to_owned());
            (acl.operation, acl.permission_type) = (operation, ALLOW);
        })];
    })
}

/// Offsets that somebody commits without being a member make a group.
fn commit(group: &str, topic: &str) -> OffsetCommitRequest {
    OffsetCommitRequest::build(|r| {
        r.group_id = group.to_owned();
        r.generation_id_or_member_epoch = -1;
        r.topics = vec![OffsetCommitRequestTopic::build(|t| {
            t.name = topic.to_owned();
            t.partitions = vec![OffsetCommitRequestPartition::build(|p| {
                p.committed_offset = 7
            })];
        })];
    })
}

fn join(group: &str) -> JoinGroupRequest {
    JoinGroupRequest::build(|r| {
        r.group_id = group.to_owned();
        (r.session_timeout_ms, r.rebalance_timeout_ms) = (10_000, 10_000);
        r.protocol_type = "consumer".to_owned();
        r.protocols = vec![JoinGroupRequestProtocol::build(|p| {
            p.name = "range".to_owned()
        })];
    })
}

fn every_rule() -> DescribeAclsRequest {
    DescribeAclsRequest::build(|r| {
        (r.resource_type_filter, r.pattern_type_filter) = (ANY, ANY);
        (r.resource_name_filter, r.principal_filter, r.host_filter) = (None, None, None);
        (r.operation, r.permission_type) = (ANY, ANY);
    })
}

macro_rules! wait {
    ($call:expr) => {
        $call.await
    };
}

macro_rules! run {
    ($call:expr) => {
        $call
    };
}

/// The stories; `$go!` waits for a call, or is nothing.
macro_rules! stories {
    ($module:ident, $kafka:ident, $go:ident, $($asynchronous:tt)?) => {
        mod $module {
            use $kafka::{Client, Conn};

            use super::*;

            pub(super) $($asynchronous)? fn topics(
                alice: &Client,
                bob: &Client,
                conn: &Conn,
                topic: &str,
            ) {
                let topics = [TopicConfig::new(topic).partitions(1)];
                $go!(alice.create_topics(&topics)).expect("a topic");
                let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
                let scope = Scope::Topic(topic.into());
                let writer = bob.writer(topic).expect("a writer");
                let error = $go!(writer.write(Record::new("v"))).expect_err("refused");
                assert_refused(error.results()[0].as_ref().expect_err("refused"), code, &scope);
                let mut reader = bob.reader(topic).expect("a reader");
                let error = $go!(reader.read_message()).expect_err("refused");
                assert_refused(&error, code, &scope);
                let error = $go!(bob.partitions(&[topic])).expect_err("refused");
                assert_refused(&error, code, &scope);
                let error = $go!(conn.read_partitions(&[topic])).expect_err("refused");
                assert_refused(&error, code, &scope);
                let error = $go!(bob.topic_configs(topic)).expect_err("refused");
                assert_refused(&error, code, &scope);
                let set = [("flush.ms", Some("1"))];
                let error = $go!(bob.set_topic_configs(topic, &set)).expect_err("refused");
                assert_refused(&error, code, &scope);
                let error = $go!(bob.delete_topics(&[topic])).expect_err("refused");
                assert_refused(&error, code, &scope);
                let own = format!("{topic}-of-bob");
                let topics = [TopicConfig::new(&own).partitions(1)];
                let error = $go!(bob.create_topics(&topics)).expect_err("refused");
                assert_refused(&error, code, &Scope::Topic(own.into()));
            }

            pub(super) $($asynchronous)? fn groups(
                (alice, alices): (&Client, &Conn),
                (bob, conn): (&Client, &Conn),
                (topic, group): (&str, &str),
            ) {
                let broker = $go!(leader_of(alice, topic));
                $go!(make_group(alices, topic, group));
                let code = ErrorCode::GROUP_AUTHORIZATION_FAILED;
                let find = FindCoordinatorRequest::build(|r| r.key = group.to_owned());
                let answer = $go!(conn.request_at(0, find)).expect("an answer");
                assert_code(answer.error_code, code);
                let answer = $go!(conn.request_at(2, join(group))).expect("an answer");
                assert_code(answer.error_code, code);
                let answer = $go!(conn.request_at(2, commit(group, topic))).expect("an answer");
                assert_code(answer.topics[0].partitions[0].error_code, code);
                let fetch = OffsetFetchRequest::build(|r| {
                    (r.group_id, r.topics) = (group.to_owned(), None);
                });
                let answer = $go!(conn.request_at(2, fetch)).expect("an answer");
                assert_code(answer.error_code, code);
                let describe = DescribeGroupsRequest::build(|r| r.groups = vec![group.to_owned()]);
                let answer = $go!(bob.call_broker(broker, describe)).expect("an answer");
                assert_eq!(answer.groups[0].group_id, group);
                assert_code(answer.groups[0].error_code, code);
                let delete = DeleteGroupsRequest::build(|r| {
                    r.groups_names = vec![group.to_owned()];
                });
                let answer = $go!(bob.call_broker(broker, delete)).expect("an answer");
                assert_eq!(answer.results[0].group_id, group);
                assert_code(answer.results[0].error_code, code);
                // a list has what bob may see, and is no error where that is nothing
                let is_seen = |group_id: &str| group_id == group;
                let groups = $go!(alice.list_groups()).expect("a list");
                assert!(groups.iter().any(|g| is_seen(&g.group_id)));
                let groups = $go!(bob.list_groups()).expect("a list");
                assert!(!groups.iter().any(|g| is_seen(&g.group_id)));
                let groups = $go!(conn.list_groups()).expect("a list");
                assert!(!groups.iter().any(|g| is_seen(&g.group_id)));
                $go!(grant(alice, GROUP, group, DESCRIBE));
                let start = Instant::now();
                while !$go!(bob.list_groups())
                    .expect("a list")
                    .iter()
                    .any(|g| is_seen(&g.group_id))
                {
                    assert!(start.elapsed() < LIMIT, "bob may see it by now");
                }
            }

            pub(super) $($asynchronous)? fn cluster(
                alice: &Client,
                bob: &Client,
                conn: &Conn,
                topic: &str,
            ) {
                let code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
                let broker = $go!(leader_of(alice, topic));
                // one who may see a topic gets as far as asking for a producer id, which is the cluster's
                $go!(grant(alice, TOPIC, topic, DESCRIBE));
                let start = Instant::now();
                while let Err(error) = $go!(bob.partitions(&[topic])) {
                    assert!(start.elapsed() < LIMIT, "bob may see it by now: {error}");
                }
                let writer = bob.writer(topic).expect("a writer");
                let error = $go!(writer.write(Record::new("v"))).expect_err("refused");
                let refused = error.results()[0].as_ref().expect_err("refused");
                let (topic_of, partition) = (topic.into(), 0);
                let scope = Scope::Partition { topic: topic_of, partition };
                assert_refused(refused, code, &scope);
                let answer = $go!(bob.call(every_rule())).expect("an answer");
                assert_code(answer.error_code, code);
                assert!(answer.resources.is_empty());
                let answer = $go!(bob.call(rule(TOPIC, topic, READ))).expect("an answer");
                assert_code(answer.results[0].error_code, code);
                let name = broker.to_string();
                let describe = DescribeConfigsRequest::build(|r| {
                    r.resources = vec![DescribeConfigsResource::build(|resource| {
                        resource.resource_type = BROKER;
                        resource.resource_name.clone_from(&name);
                        resource.configuration_keys = None;
                    })];
                });
                let answer = $go!(conn.request(describe)).expect("an answer");
                assert_code(answer.results[0].error_code, code);
                assert!(answer.results[0].configs.is_empty());
                let alter = IncrementalAlterConfigsRequest::build(|r| {
                    r.resources = vec![AlterConfigsResource::build(|resource| {
                        resource.resource_type = BROKER;
                        resource.resource_name.clone_from(&name);
                    })];
                });
                let answer = $go!(conn.request(alter)).expect("an answer");
                assert_code(answer.responses[0].error_code, code);
                // what bob has not changed, alice sees
                let answer = $go!(alice.call(every_rule())).expect("an answer");
                let resources = answer.resources.iter();
                let of_topic = resources.filter(|r| r.resource_name == topic);
                let rules = of_topic.flat_map(|r| &r.acls);
                let operations: Vec<_> = rules.map(|acl| acl.operation).collect();
                assert_eq!(operations, [DESCRIBE]);
            }

            pub(super) $($asynchronous)? fn the_rest_goes_on(
                alice: &Client,
                bob: &Client,
                topic: &str,
            ) {
                let mut reader = bob.reader(topic).expect("a reader");
                let error = $go!(reader.read_message()).expect_err("bob may see it, not read it");
                assert_eq!(error.code(), Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
                let writer = alice.writer(topic).expect("a writer");
                $go!(writer.write(Record::new("v"))).expect("alice may write");
                // the same reader, once bob may
                $go!(grant(alice, TOPIC, topic, READ));
                let start = Instant::now();
                let message = loop {
                    match $go!(reader.read_message()) {
                        Ok(message) => break message.expect("open"),
                        Err(error) => {
                            let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
                            assert_eq!(error.code(), Some(code), "{error}");
                            assert!(start.elapsed() < LIMIT, "bob may read by now");
                        }
                    }
                };
                assert_eq!(message.value(), Some(&b"v"[..]));
            }

            $($asynchronous)? fn leader_of(alice: &Client, topic: &str) -> i32 {
                let start = Instant::now();
                loop {
                    let partitions = $go!(alice.partitions(&[topic])).expect("described");
                    // a new topic is there before it has a leader
                    if let Some(leader) = partitions.first().and_then(|p| p.leader.as_ref()) {
                        return leader.id;
                    }
                    assert!(start.elapsed() < LIMIT, "it has a leader by now");
                }
            }

            $($asynchronous)? fn make_group(alice: &Conn, topic: &str, group: &str) {
                let start = Instant::now();
                loop {
                    // the first one to ask for it has the brokers make what coordinators need
                    let find = FindCoordinatorRequest::build(|r| r.key = group.to_owned());
                    $go!(alice.request_at(0, find)).expect("an answer");
                    // by name, in a version that both brokers have
                    let answer = $go!(alice.request_at(2, commit(group, topic)));
                    match ErrorCode(answer.expect("an answer").topics[0].partitions[0].error_code) {
                        ErrorCode::NONE => break,
                        code => assert!(code.is_retriable() && start.elapsed() < LIMIT, "{code}"),
                    }
                }
            }

            $($asynchronous)? fn grant(alice: &Client, kind: i8, name: &str, operation: i8) {
                let answer = $go!(alice.call(rule(kind, name, operation))).expect("an answer");
                assert_eq!(answer.results[0].error_code, 0, "{:?}", answer.results[0]);
            }
        }
    };
}

stories!(awaiting, kafka_client_tokio, wait, async);
stories!(blocking, kafka_client_blocking, run,);
