//! The messages of Kafka: every API that a client may call, in every version that a broker since 0.10 may speak.
//!
//! Each module is one table of what its messages carry, and in which versions. Structs are built by closure, so that
//! new fields break nobody:
//!
//! ```
//! # use kafka_proto::api::metadata::{MetadataRequest, MetadataRequestTopic};
//! let request = MetadataRequest::build(|r| {
//!     r.topics = Some(vec![MetadataRequestTopic::build(|t| t.name = Some("orders".to_owned()))]);
//!     r.allow_auto_topic_creation = false;
//! });
//! ```
//!
//! What only brokers and controllers send to each other is not here.
//!
//! Many fields recur and mean the same everywhere:
//!
//! | field                     | meaning                                                                               |
//! |---------------------------|---------------------------------------------------------------------------------------|
//! | `throttle_time_ms`        | how long the client must send nothing, as it has used up a quota (KIP-219)            |
//! | `error_code`              | an [`ErrorCode`](crate::error::ErrorCode); 0 means success                            |
//! | `error_message`           | what the broker has to say beside the code                                            |
//! | `validate_only`           | whether to check only, and change nothing                                             |
//! | `timeout_ms`              | how long the broker may take; afterwards it answers, but does not stop                |
//! | `topic_id`                | zero where there is none, or where the name is used                                   |
//! | `leader_epoch`            | -1 where it is not known; so are others of their kind                                 |
//! | `node_id`, `host`, `port` | how to reach a broker; no host where there is none                                    |
//! | `authorized_operations`   | bits, by number of the operation (KIP-430); `i32::MIN` if they were not asked for     |
//! | `principal_type`          | `User`, where nobody has made others                                                  |
//! | `group_instance_id`       | the name of a static member (KIP-345)                                                 |

#[cfg(any(test, feature = "unstable"))]
pub mod fuzz;
mod header;
mod node_ids;
mod throttle;

pub use header::{RequestHeader, ResponseHeader};
pub use node_ids::NodeIds;

pub use crate::wire::Uuid;

use crate::wire::Wire;

/// A message that asks for another.
pub trait Request: Wire {
    /// Which API it belongs to.
    const API: ApiKey;
    /// What answers it.
    type Response: Wire;

    /// The first field that `version` can neither carry nor do without: ask before writing.
    fn misfit(&self, version: i16) -> Option<&'static str> {
        self.misfit_in(version, Self::API.is_flexible(version))
    }
}

/// Which broker answers a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// Any broker.
    Any,
    /// The broker that the caller means: the one at the other end of a connection, or one whose own state is asked for.
    Each,
    /// The leader of the partition; for Fetch also a replica that the leader prefers.
    Leader,
    /// The coordinator of the group.
    Group,
    /// The coordinator of the transactional id.
    Transaction,
    /// The controller; with KRaft any broker, which forwards.
    Controller,
}

pub mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub mod add_raft_voter;
pub mod alter_client_quotas;
pub mod alter_configs;
pub mod alter_partition_reassignments;
pub mod alter_replica_log_dirs;
pub mod alter_share_group_offsets;
pub mod alter_user_scram_credentials;
pub mod api_versions;
pub mod blobs;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod create_acls;
pub mod create_delegation_token;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_acls;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_share_group_offsets;
pub mod delete_topics;
pub mod describe_acls;
pub mod describe_client_quotas;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_delegation_token;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_quorum;
pub mod describe_share_group_offsets;
pub mod describe_topic_partitions;
pub mod describe_transactions;
pub mod describe_user_scram_credentials;
pub mod elect_leaders;
pub mod end_txn;
pub mod expire_delegation_token;
pub mod fetch;
pub mod find_coordinator;
pub mod get_telemetry_subscriptions;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod list_transactions;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod push_telemetry;
pub mod remove_raft_voter;
pub mod renew_delegation_token;
pub mod sasl_authenticate;
pub mod sasl_handshake;
pub mod share_acknowledge;
pub mod share_fetch;
pub mod share_group_describe;
pub mod share_group_heartbeat;
pub mod streams_group_describe;
pub mod streams_group_heartbeat;
pub mod sync_group;
pub mod txn_offset_commit;
pub mod unregister_broker;
pub mod update_features;
pub mod write_txn_markers;

#[rustfmt::skip]
apis! {
    // key name, versions, first flexible version, who answers, request => response
    0  Produce                      0..=13              , flexible 9    , leader     , produce::ProduceRequest => produce::ProduceResponse;
    1  Fetch                        0..=18              , flexible 12   , leader     , fetch::FetchRequest => fetch::FetchResponse;
    2  ListOffsets                  0..=11              , flexible 6    , leader     , list_offsets::ListOffsetsRequest => list_offsets::ListOffsetsResponse;
    3  Metadata                     0..=13              , flexible 9    , any        , metadata::MetadataRequest => metadata::MetadataResponse;
    8  OffsetCommit                 0..=10              , flexible 8    , group      , offset_commit::OffsetCommitRequest => offset_commit::OffsetCommitResponse;
    9  OffsetFetch                  0..=10              , flexible 6    , group      , offset_fetch::OffsetFetchRequest => offset_fetch::OffsetFetchResponse;
    10 FindCoordinator              0..=6               , flexible 3    , any        , find_coordinator::FindCoordinatorRequest => find_coordinator::FindCoordinatorResponse;
    11 JoinGroup                    0..=9               , flexible 6    , group      , join_group::JoinGroupRequest => join_group::JoinGroupResponse;
    12 Heartbeat                    0..=4               , flexible 4    , group      , heartbeat::HeartbeatRequest => heartbeat::HeartbeatResponse;
    13 LeaveGroup                   0..=5               , flexible 4    , group      , leave_group::LeaveGroupRequest => leave_group::LeaveGroupResponse;
    14 SyncGroup                    0..=5               , flexible 4    , group      , sync_group::SyncGroupRequest => sync_group::SyncGroupResponse;
    15 DescribeGroups               0..=6               , flexible 5    , group      , describe_groups::DescribeGroupsRequest => describe_groups::DescribeGroupsResponse;
    16 ListGroups                   0..=5               , flexible 3    , each       , list_groups::ListGroupsRequest => list_groups::ListGroupsResponse;
    17 SaslHandshake                0..=1               , never flexible, each       , sasl_handshake::SaslHandshakeRequest => sasl_handshake::SaslHandshakeResponse;
    18 ApiVersions                  0..=4               , flexible 3    , each       , api_versions::ApiVersionsRequest => api_versions::ApiVersionsResponse;
    19 CreateTopics                 0..=7               , flexible 5    , controller , create_topics::CreateTopicsRequest => create_topics::CreateTopicsResponse;
    20 DeleteTopics                 0..=6               , flexible 4    , controller , delete_topics::DeleteTopicsRequest => delete_topics::DeleteTopicsResponse;
    21 DeleteRecords                0..=2               , flexible 2    , leader     , delete_records::DeleteRecordsRequest => delete_records::DeleteRecordsResponse;
    22 InitProducerId               0..=5 unstable 6    , flexible 2    , transaction, init_producer_id::InitProducerIdRequest => init_producer_id::InitProducerIdResponse;
    23 OffsetForLeaderEpoch         0..=4               , flexible 4    , leader     , offset_for_leader_epoch::OffsetForLeaderEpochRequest => offset_for_leader_epoch::OffsetForLeaderEpochResponse;
    24 AddPartitionsToTxn           0..=5               , flexible 3    , transaction, add_partitions_to_txn::AddPartitionsToTxnRequest => add_partitions_to_txn::AddPartitionsToTxnResponse;
    25 AddOffsetsToTxn              0..=4               , flexible 3    , transaction, add_offsets_to_txn::AddOffsetsToTxnRequest => add_offsets_to_txn::AddOffsetsToTxnResponse;
    26 EndTxn                       0..=5               , flexible 3    , transaction, end_txn::EndTxnRequest => end_txn::EndTxnResponse;
    27 WriteTxnMarkers              0..=2               , flexible 1    , leader     , write_txn_markers::WriteTxnMarkersRequest => write_txn_markers::WriteTxnMarkersResponse;
    28 TxnOffsetCommit              0..=5               , flexible 3    , group      , txn_offset_commit::TxnOffsetCommitRequest => txn_offset_commit::TxnOffsetCommitResponse;
    29 DescribeAcls                 0..=3               , flexible 2    , any        , describe_acls::DescribeAclsRequest => describe_acls::DescribeAclsResponse;
    30 CreateAcls                   0..=3               , flexible 2    , any        , create_acls::CreateAclsRequest => create_acls::CreateAclsResponse;
    31 DeleteAcls                   0..=3               , flexible 2    , any        , delete_acls::DeleteAclsRequest => delete_acls::DeleteAclsResponse;
    32 DescribeConfigs              0..=4               , flexible 4    , each       , describe_configs::DescribeConfigsRequest => describe_configs::DescribeConfigsResponse;
    33 AlterConfigs                 0..=2               , flexible 2    , each       , alter_configs::AlterConfigsRequest => alter_configs::AlterConfigsResponse;
    34 AlterReplicaLogDirs          0..=2               , flexible 2    , each       , alter_replica_log_dirs::AlterReplicaLogDirsRequest => alter_replica_log_dirs::AlterReplicaLogDirsResponse;
    35 DescribeLogDirs              0..=5               , flexible 2    , each       , describe_log_dirs::DescribeLogDirsRequest => describe_log_dirs::DescribeLogDirsResponse;
    36 SaslAuthenticate             0..=2               , flexible 2    , each       , sasl_authenticate::SaslAuthenticateRequest => sasl_authenticate::SaslAuthenticateResponse;
    37 CreatePartitions             0..=3               , flexible 2    , controller , create_partitions::CreatePartitionsRequest => create_partitions::CreatePartitionsResponse;
    38 CreateDelegationToken        0..=3               , flexible 2    , any        , create_delegation_token::CreateDelegationTokenRequest => create_delegation_token::CreateDelegationTokenResponse;
    39 RenewDelegationToken         0..=2               , flexible 2    , any        , renew_delegation_token::RenewDelegationTokenRequest => renew_delegation_token::RenewDelegationTokenResponse;
    40 ExpireDelegationToken        0..=2               , flexible 2    , any        , expire_delegation_token::ExpireDelegationTokenRequest => expire_delegation_token::ExpireDelegationTokenResponse;
    41 DescribeDelegationToken      0..=3               , flexible 2    , any        , describe_delegation_token::DescribeDelegationTokenRequest => describe_delegation_token::DescribeDelegationTokenResponse;
    42 DeleteGroups                 0..=2               , flexible 2    , group      , delete_groups::DeleteGroupsRequest => delete_groups::DeleteGroupsResponse;
    43 ElectLeaders                 0..=2               , flexible 2    , controller , elect_leaders::ElectLeadersRequest => elect_leaders::ElectLeadersResponse;
    44 IncrementalAlterConfigs      0..=1               , flexible 1    , each       , incremental_alter_configs::IncrementalAlterConfigsRequest => incremental_alter_configs::IncrementalAlterConfigsResponse;
    45 AlterPartitionReassignments  0..=1               , flexible 0    , controller , alter_partition_reassignments::AlterPartitionReassignmentsRequest => alter_partition_reassignments::AlterPartitionReassignmentsResponse;
    46 ListPartitionReassignments   0..=0               , flexible 0    , controller , list_partition_reassignments::ListPartitionReassignmentsRequest => list_partition_reassignments::ListPartitionReassignmentsResponse;
    47 OffsetDelete                 0..=0               , never flexible, group      , offset_delete::OffsetDeleteRequest => offset_delete::OffsetDeleteResponse;
    48 DescribeClientQuotas         0..=1               , flexible 1    , any        , describe_client_quotas::DescribeClientQuotasRequest => describe_client_quotas::DescribeClientQuotasResponse;
    49 AlterClientQuotas            0..=1               , flexible 1    , any        , alter_client_quotas::AlterClientQuotasRequest => alter_client_quotas::AlterClientQuotasResponse;
    50 DescribeUserScramCredentials 0..=0               , flexible 0    , any        , describe_user_scram_credentials::DescribeUserScramCredentialsRequest => describe_user_scram_credentials::DescribeUserScramCredentialsResponse;
    51 AlterUserScramCredentials    0..=0               , flexible 0    , controller , alter_user_scram_credentials::AlterUserScramCredentialsRequest => alter_user_scram_credentials::AlterUserScramCredentialsResponse;
    55 DescribeQuorum               0..=2               , flexible 0    , any        , describe_quorum::DescribeQuorumRequest => describe_quorum::DescribeQuorumResponse;
    57 UpdateFeatures               0..=2               , flexible 0    , controller , update_features::UpdateFeaturesRequest => update_features::UpdateFeaturesResponse;
    60 DescribeCluster              0..=2               , flexible 0    , any        , describe_cluster::DescribeClusterRequest => describe_cluster::DescribeClusterResponse;
    61 DescribeProducers            0..=0               , flexible 0    , leader     , describe_producers::DescribeProducersRequest => describe_producers::DescribeProducersResponse;
    64 UnregisterBroker             0..=0               , flexible 0    , any        , unregister_broker::UnregisterBrokerRequest => unregister_broker::UnregisterBrokerResponse;
    65 DescribeTransactions         0..=0               , flexible 0    , transaction, describe_transactions::DescribeTransactionsRequest => describe_transactions::DescribeTransactionsResponse;
    66 ListTransactions             0..=2               , flexible 0    , each       , list_transactions::ListTransactionsRequest => list_transactions::ListTransactionsResponse;
    68 ConsumerGroupHeartbeat       0..=1               , flexible 0    , group      , consumer_group_heartbeat::ConsumerGroupHeartbeatRequest => consumer_group_heartbeat::ConsumerGroupHeartbeatResponse;
    69 ConsumerGroupDescribe        0..=1               , flexible 0    , group      , consumer_group_describe::ConsumerGroupDescribeRequest => consumer_group_describe::ConsumerGroupDescribeResponse;
    71 GetTelemetrySubscriptions    0..=0               , flexible 0    , any        , get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest => get_telemetry_subscriptions::GetTelemetrySubscriptionsResponse;
    72 PushTelemetry                0..=0               , flexible 0    , any        , push_telemetry::PushTelemetryRequest => push_telemetry::PushTelemetryResponse;
    74 ListConfigResources          0..=1               , flexible 0    , any        , list_config_resources::ListConfigResourcesRequest => list_config_resources::ListConfigResourcesResponse;
    75 DescribeTopicPartitions      0..=0               , flexible 0    , any        , describe_topic_partitions::DescribeTopicPartitionsRequest => describe_topic_partitions::DescribeTopicPartitionsResponse;
    76 ShareGroupHeartbeat          1..=1               , flexible 0    , group      , share_group_heartbeat::ShareGroupHeartbeatRequest => share_group_heartbeat::ShareGroupHeartbeatResponse;
    77 ShareGroupDescribe           1..=1               , flexible 0    , group      , share_group_describe::ShareGroupDescribeRequest => share_group_describe::ShareGroupDescribeResponse;
    78 ShareFetch                   1..=2               , flexible 0    , leader     , share_fetch::ShareFetchRequest => share_fetch::ShareFetchResponse;
    79 ShareAcknowledge             1..=2               , flexible 0    , leader     , share_acknowledge::ShareAcknowledgeRequest => share_acknowledge::ShareAcknowledgeResponse;
    80 AddRaftVoter                 0..=1               , flexible 0    , any        , add_raft_voter::AddRaftVoterRequest => add_raft_voter::AddRaftVoterResponse;
    81 RemoveRaftVoter              0..=0               , flexible 0    , any        , remove_raft_voter::RemoveRaftVoterRequest => remove_raft_voter::RemoveRaftVoterResponse;
    88 StreamsGroupHeartbeat        0..=0               , flexible 0    , group      , streams_group_heartbeat::StreamsGroupHeartbeatRequest => streams_group_heartbeat::StreamsGroupHeartbeatResponse;
    89 StreamsGroupDescribe         0..=0               , flexible 0    , group      , streams_group_describe::StreamsGroupDescribeRequest => streams_group_describe::StreamsGroupDescribeResponse;
    90 DescribeShareGroupOffsets    0..=1               , flexible 0    , group      , describe_share_group_offsets::DescribeShareGroupOffsetsRequest => describe_share_group_offsets::DescribeShareGroupOffsetsResponse;
    91 AlterShareGroupOffsets       0..=0               , flexible 0    , group      , alter_share_group_offsets::AlterShareGroupOffsetsRequest => alter_share_group_offsets::AlterShareGroupOffsetsResponse;
    92 DeleteShareGroupOffsets      0..=0               , flexible 0    , group      , delete_share_group_offsets::DeleteShareGroupOffsetsRequest => delete_share_group_offsets::DeleteShareGroupOffsetsResponse;
}
