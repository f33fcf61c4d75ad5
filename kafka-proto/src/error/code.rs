//! The error codes of brokers: what each is called, what it means, and what it asks of a client.

use std::{error::Error, fmt};

/// A code that a broker answered.
///
/// Codes that this crate does not know are kept as they came.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ErrorCode(pub i16);

impl ErrorCode {
    /// The number on the wire.
    pub fn code(self) -> i16 {
        self.0
    }

    /// The name that Kafka gives it, as in [`ErrorCode::NOT_LEADER_OR_FOLLOWER`]; empty if unknown.
    pub fn name(self) -> &'static str {
        self.entry().map_or("", |e| e.name)
    }

    /// A few words for people; empty if unknown.
    pub fn title(self) -> &'static str {
        self.entry().map_or("", |e| e.title)
    }

    /// What it means; empty if unknown.
    pub fn description(self) -> &'static str {
        self.entry().map_or("", |e| e.description)
    }

    /// Whether the same request may succeed later.
    pub fn is_retriable(self) -> bool {
        self.entry().is_some_and(|e| e.advice != Advice::GiveUp)
    }

    /// Whether leaders or topics may have moved, so that metadata is worth asking for before the next attempt.
    pub fn refreshes_metadata(self) -> bool {
        self.entry().is_some_and(|e| e.advice == Advice::Metadata)
    }

    /// Whether the coordinator may have moved, so that it is worth finding again before the next attempt.
    pub fn refreshes_coordinator(self) -> bool {
        self.entry()
            .is_some_and(|e| e.advice == Advice::Coordinator)
    }

    /// Whether the broker ran out of the time that the request allowed.
    pub fn is_timeout(self) -> bool {
        self == Self::REQUEST_TIMED_OUT
    }

    /// Whether the error is expected to pass by itself.
    ///
    /// The same as [`is_retriable`](Self::is_retriable) but for two codes that Go programs know as lasting:
    /// [`REPLICA_NOT_AVAILABLE`](Self::REPLICA_NOT_AVAILABLE), which is of no concern to clients, and
    /// [`CONCURRENT_TRANSACTIONS`](Self::CONCURRENT_TRANSACTIONS), which the code of transactions retries itself.
    pub fn is_temporary(self) -> bool {
        self.is_retriable()
            && !matches!(
                self,
                Self::REPLICA_NOT_AVAILABLE | Self::CONCURRENT_TRANSACTIONS
            )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some(e) => write!(f, "[{}] {}: {}", self.0, e.title, e.description),
            None => write!(f, "[{}] unknown error code", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some(e) => f.write_str(e.name),
            None => write!(f, "ErrorCode({})", self.0),
        }
    }
}

impl Error for ErrorCode {}

/// One row of the table.
struct Entry {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    advice: Advice,
}

/// What the Java client's exceptions say about trying again.
#[derive(Clone, Copy, PartialEq)]
enum Advice {
    GiveUp,
    Retry,
    /// Retry, with fresh metadata.
    Metadata,
    /// Retry, with the coordinator found again.
    Coordinator,
}

/// Defines the constants and `ErrorCode::entry` from a table.
///
/// A row is `code NAME (| ALIAS)? advice "Title": "description"`. The alias is a name from the time when the code was
/// new; advice is one of `final`, `retry`, `metadata`, `coordinator`.
macro_rules! error_codes {
    ($($code:literal $name:ident $(| $alias:ident)? $advice:ident $title:literal: $description:literal)*) => {
        impl ErrorCode {$(
            #[doc = concat!($title, ": ", $description, ".")]
            pub const $name: Self = Self($code);
            $(
                #[doc = concat!("The former name of [`", stringify!($name), "`](Self::", stringify!($name), ").")]
                pub const $alias: Self = Self($code);
            )?
        )*}

        impl ErrorCode {
            /// All codes that have a name, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self($code),)*];

            fn entry(self) -> Option<&'static Entry> {
                match self.0 {
                    $($code => Some(&Entry {
                        name: stringify!($name),
                        title: $title,
                        description: $description,
                        advice: error_codes!(@ $advice),
                    }),)*
                    _ => None,
                }
            }
        }
    };
    (@ final) => { Advice::GiveUp };
    (@ retry) => { Advice::Retry };
    (@ metadata) => { Advice::Metadata };
    (@ coordinator) => { Advice::Coordinator };
}

#[rustfmt::skip]
error_codes! {
    -1  UNKNOWN_SERVER_ERROR | UNKNOWN                              final       "Unknown Server Error": "the broker met an error that has no code of its own"
    0   NONE                                                        final       "No Error": "the request succeeded"
    1   OFFSET_OUT_OF_RANGE                                         final       "Offset Out Of Range": "the log holds no such offset: it was deleted, or was never written"
    2   CORRUPT_MESSAGE | INVALID_MESSAGE                           retry       "Corrupt Message": "the records arrived damaged: a checksum, a size or a missing key is wrong"
    3   UNKNOWN_TOPIC_OR_PARTITION                                  metadata    "Unknown Topic Or Partition": "the broker does not host this topic or partition"
    4   INVALID_FETCH_SIZE | INVALID_MESSAGE_SIZE                   final       "Invalid Fetch Size": "the number of bytes to fetch is not valid"
    5   LEADER_NOT_AVAILABLE                                        metadata    "Leader Not Available": "the partition has no leader: an election is under way, or its replicas are down"
    6   NOT_LEADER_OR_FOLLOWER | NOT_LEADER_FOR_PARTITION           metadata    "Not Leader Or Follower": "the broker does not lead this partition, or holds no replica to read from"
    7   REQUEST_TIMED_OUT                                           retry       "Request Timed Out": "the broker did not finish within the time that the request allowed"
    8   BROKER_NOT_AVAILABLE                                        final       "Broker Not Available": "the broker that should answer is not there"
    9   REPLICA_NOT_AVAILABLE                                       metadata    "Replica Not Available": "a replica that was asked for is not on this broker"
    10  MESSAGE_TOO_LARGE | MESSAGE_SIZE_TOO_LARGE                  final       "Message Too Large": "a batch is larger than the topic's max.message.bytes allows"
    11  STALE_CONTROLLER_EPOCH                                      final       "Stale Controller Epoch": "the request comes from a controller that has been replaced"
    12  OFFSET_METADATA_TOO_LARGE                                   final       "Offset Metadata Too Large": "the text beside a committed offset is longer than the broker allows"
    13  NETWORK_EXCEPTION                                           metadata    "Network Exception": "the connection ended before the answer came"
    14  COORDINATOR_LOAD_IN_PROGRESS | GROUP_LOAD_IN_PROGRESS       retry       "Coordinator Load In Progress": "the coordinator is still reading its state after it moved"
    15  COORDINATOR_NOT_AVAILABLE | GROUP_COORDINATOR_NOT_AVAILABLE coordinator "Coordinator Not Available": "there is no coordinator: its internal topic is being created, or its leader is down"
    16  NOT_COORDINATOR | NOT_COORDINATOR_FOR_GROUP                 coordinator "Not Coordinator": "another broker coordinates this group or transactional id"
    17  INVALID_TOPIC_EXCEPTION | INVALID_TOPIC                     final       "Invalid Topic": "the topic's name is not legal, or the operation is not allowed on an internal topic"
    18  RECORD_LIST_TOO_LARGE                                       final       "Record List Too Large": "a batch is larger than a segment of the log"
    19  NOT_ENOUGH_REPLICAS                                         retry       "Not Enough Replicas": "fewer replicas are in sync than min.insync.replicas asks for; nothing was written"
    20  NOT_ENOUGH_REPLICAS_AFTER_APPEND                            retry       "Not Enough Replicas After Append": "the records were written, but to fewer replicas than min.insync.replicas asks for"
    21  INVALID_REQUIRED_ACKS                                       final       "Invalid Required Acks": "acks is none of -1, 0 and 1"
    22  ILLEGAL_GENERATION                                          final       "Illegal Generation": "the group is in another generation than the member says"
    23  INCONSISTENT_GROUP_PROTOCOL                                 final       "Inconsistent Group Protocol": "the member has no assignor or protocol type in common with the others"
    24  INVALID_GROUP_ID                                            final       "Invalid Group Id": "the group id is not legal"
    25  UNKNOWN_MEMBER_ID                                           final       "Unknown Member Id": "the group has no such member, or not any more"
    26  INVALID_SESSION_TIMEOUT                                     final       "Invalid Session Timeout": "the session timeout is outside of what the broker allows"
    27  REBALANCE_IN_PROGRESS                                       final       "Rebalance In Progress": "the group is rebalancing: join again"
    28  INVALID_COMMIT_OFFSET_SIZE                                  final       "Invalid Commit Offset Size": "the commit makes a record that is too large"
    29  TOPIC_AUTHORIZATION_FAILED                                  final       "Topic Authorization Failed": "the principal may not do this with the topic"
    30  GROUP_AUTHORIZATION_FAILED                                  final       "Group Authorization Failed": "the principal may not do this with the group"
    31  CLUSTER_AUTHORIZATION_FAILED                                final       "Cluster Authorization Failed": "the principal may not do this with the cluster"
    32  INVALID_TIMESTAMP                                           final       "Invalid Timestamp": "the time of a record is further from the broker's clock than the topic allows"
    33  UNSUPPORTED_SASL_MECHANISM                                  final       "Unsupported SASL Mechanism": "the broker does not offer this mechanism"
    34  ILLEGAL_SASL_STATE                                          final       "Illegal SASL State": "the request does not belong at this point of the authentication"
    35  UNSUPPORTED_VERSION                                         final       "Unsupported Version": "the broker does not know this version of the request, or cannot serve it"
    36  TOPIC_ALREADY_EXISTS                                        final       "Topic Already Exists": "there is a topic of this name"
    37  INVALID_PARTITIONS | INVALID_PARTITION_NUMBER               final       "Invalid Partitions": "the number of partitions is below one, or not above the present number"
    38  INVALID_REPLICATION_FACTOR                                  final       "Invalid Replication Factor": "the replication factor is below one, or above the number of brokers"
    39  INVALID_REPLICA_ASSIGNMENT                                  final       "Invalid Replica Assignment": "the assignment of replicas to brokers cannot be"
    40  INVALID_CONFIG | INVALID_CONFIGURATION                      final       "Invalid Config": "a configuration has an unknown name or an illegal value"
    41  NOT_CONTROLLER                                              retry       "Not Controller": "another broker is the controller"
    42  INVALID_REQUEST                                             final       "Invalid Request": "the fields of the request contradict each other, or the broker could not read it"
    43  UNSUPPORTED_FOR_MESSAGE_FORMAT                              final       "Unsupported For Message Format": "the topic's record format cannot do this"
    44  POLICY_VIOLATION                                            final       "Policy Violation": "a policy that the cluster's owner set refuses this"
    45  OUT_OF_ORDER_SEQUENCE_NUMBER                                final       "Out Of Order Sequence Number": "the batch does not follow the last one of this producer: something between is missing"
    46  DUPLICATE_SEQUENCE_NUMBER                                   final       "Duplicate Sequence Number": "the batch was written before"
    47  INVALID_PRODUCER_EPOCH                                      final       "Invalid Producer Epoch": "the producer's epoch is older than the one that the broker knows"
    48  INVALID_TXN_STATE | INVALID_TRANSACTION_STATE               final       "Invalid Transaction State": "the transaction is in no state that allows this"
    49  INVALID_PRODUCER_ID_MAPPING                                 final       "Invalid Producer Id Mapping": "the producer id does not belong to the transactional id"
    50  INVALID_TRANSACTION_TIMEOUT                                 final       "Invalid Transaction Timeout": "the transaction timeout is above what the broker allows"
    51  CONCURRENT_TRANSACTIONS                                     retry       "Concurrent Transactions": "the last transaction of this transactional id is still being completed"
    52  TRANSACTION_COORDINATOR_FENCED                              final       "Transaction Coordinator Fenced": "the coordinator that sent this has been replaced"
    53  TRANSACTIONAL_ID_AUTHORIZATION_FAILED                       final       "Transactional Id Authorization Failed": "the principal may not use this transactional id"
    54  SECURITY_DISABLED                                           final       "Security Disabled": "the cluster has no authorizer"
    55  OPERATION_NOT_ATTEMPTED | BROKER_AUTHORIZATION_FAILED       final       "Operation Not Attempted": "an earlier part of the request failed, so this part was left alone"
    56  KAFKA_STORAGE_ERROR                                         metadata    "Kafka Storage Error": "the broker cannot reach the disk of this log"
    57  LOG_DIR_NOT_FOUND                                           final       "Log Dir Not Found": "the broker has no such log directory"
    58  SASL_AUTHENTICATION_FAILED                                  final       "SASL Authentication Failed": "the broker does not accept these credentials"
    59  UNKNOWN_PRODUCER_ID                                         final       "Unknown Producer Id": "the partition holds no record of this producer any more"
    60  REASSIGNMENT_IN_PROGRESS                                    final       "Reassignment In Progress": "the partition is being reassigned"
    61  DELEGATION_TOKEN_AUTH_DISABLED                              final       "Delegation Token Auth Disabled": "the cluster has delegation tokens turned off"
    62  DELEGATION_TOKEN_NOT_FOUND                                  final       "Delegation Token Not Found": "there is no such delegation token"
    63  DELEGATION_TOKEN_OWNER_MISMATCH                             final       "Delegation Token Owner Mismatch": "the principal neither owns the token nor may renew it"
    64  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED                        final       "Delegation Token Request Not Allowed": "the connection is not authenticated well enough to ask for tokens"
    65  DELEGATION_TOKEN_AUTHORIZATION_FAILED                       final       "Delegation Token Authorization Failed": "the principal may not do this with delegation tokens"
    66  DELEGATION_TOKEN_EXPIRED                                    final       "Delegation Token Expired": "the delegation token's time is over"
    67  INVALID_PRINCIPAL_TYPE                                      final       "Invalid Principal Type": "the cluster does not support principals of this type"
    68  NON_EMPTY_GROUP                                             final       "Non Empty Group": "the group has members"
    69  GROUP_ID_NOT_FOUND                                          final       "Group Id Not Found": "there is no such group"
    70  FETCH_SESSION_ID_NOT_FOUND                                  retry       "Fetch Session Id Not Found": "the broker has dropped the fetch session: start a new one"
    71  INVALID_FETCH_SESSION_EPOCH                                 retry       "Invalid Fetch Session Epoch": "a request of the fetch session was lost or repeated: start a new one"
    72  LISTENER_NOT_FOUND                                          metadata    "Listener Not Found": "the partition's leader has no listener of the kind that was used"
    73  TOPIC_DELETION_DISABLED                                     final       "Topic Deletion Disabled": "the cluster does not let topics be deleted"
    74  FENCED_LEADER_EPOCH                                         metadata    "Fenced Leader Epoch": "the client's leader epoch is older than the broker's"
    75  UNKNOWN_LEADER_EPOCH                                        retry       "Unknown Leader Epoch": "the client's leader epoch is newer than the broker's"
    76  UNSUPPORTED_COMPRESSION_TYPE                                final       "Unsupported Compression Type": "the broker, or this version of the request, does not know the compression"
    77  STALE_BROKER_EPOCH                                          final       "Stale Broker Epoch": "the broker's registration has been replaced"
    78  OFFSET_NOT_AVAILABLE                                        retry       "Offset Not Available": "a new leader does not know its high watermark yet"
    79  MEMBER_ID_REQUIRED                                          final       "Member Id Required": "join again with the member id of this answer"
    80  PREFERRED_LEADER_NOT_AVAILABLE                              metadata    "Preferred Leader Not Available": "the preferred leader is down or out of sync"
    81  GROUP_MAX_SIZE_REACHED                                      final       "Group Max Size Reached": "the group has as many members as the broker allows"
    82  FENCED_INSTANCE_ID                                          final       "Fenced Instance Id": "another member has taken over this group instance id"
    83  ELIGIBLE_LEADERS_NOT_AVAILABLE                              metadata    "Eligible Leaders Not Available": "no replica may become leader"
    84  ELECTION_NOT_NEEDED                                         metadata    "Election Not Needed": "the partition has the leader that was asked for"
    85  NO_REASSIGNMENT_IN_PROGRESS                                 final       "No Reassignment In Progress": "the partition is not being reassigned"
    86  GROUP_SUBSCRIBED_TO_TOPIC                                   final       "Group Subscribed To Topic": "a group that reads the topic keeps its offsets"
    87  INVALID_RECORD                                              final       "Invalid Record": "the broker refuses a record, for instance one without a key in a compacted topic"
    88  UNSTABLE_OFFSET_COMMIT                                      retry       "Unstable Offset Commit": "a transaction that holds offsets of this partition is still open"
    89  THROTTLING_QUOTA_EXCEEDED                                   retry       "Throttling Quota Exceeded": "the quota of changes is used up for now"
    90  PRODUCER_FENCED                                             final       "Producer Fenced": "a newer producer uses this transactional id"
    91  RESOURCE_NOT_FOUND                                          final       "Resource Not Found": "there is no such user, or other thing, that the request names"
    92  DUPLICATE_RESOURCE                                          final       "Duplicate Resource": "the request names the same thing twice"
    93  UNACCEPTABLE_CREDENTIAL                                     final       "Unacceptable Credential": "the credential is too weak or malformed"
    94  INCONSISTENT_VOTER_SET                                      final       "Inconsistent Voter Set": "the two sides know different sets of voters"
    95  INVALID_UPDATE_VERSION                                      final       "Invalid Update Version": "the version to change to is not valid"
    96  FEATURE_UPDATE_FAILED                                       final       "Feature Update Failed": "the controller could not change a feature"
    97  PRINCIPAL_DESERIALIZATION_FAILURE                           final       "Principal Deserialization Failure": "a forwarded request names a principal that cannot be read"
    98  SNAPSHOT_NOT_FOUND                                          final       "Snapshot Not Found": "there is no such snapshot"
    99  POSITION_OUT_OF_RANGE                                       final       "Position Out Of Range": "the position is beyond the end of the snapshot"
    100 UNKNOWN_TOPIC_ID                                            metadata    "Unknown Topic Id": "the broker hosts no topic of this id"
    101 DUPLICATE_BROKER_REGISTRATION                               final       "Duplicate Broker Registration": "another broker of this id is registered"
    102 BROKER_ID_NOT_REGISTERED                                    final       "Broker Id Not Registered": "no broker of this id is registered"
    103 INCONSISTENT_TOPIC_ID                                       metadata    "Inconsistent Topic Id": "the topic's id is another one in the log"
    104 INCONSISTENT_CLUSTER_ID                                     final       "Inconsistent Cluster Id": "the request was meant for another cluster"
    105 TRANSACTIONAL_ID_NOT_FOUND                                  final       "Transactional Id Not Found": "there is no such transactional id"
    106 FETCH_SESSION_TOPIC_ID_ERROR                                retry       "Fetch Session Topic Id Error": "the fetch session mixes topics with and without ids: start a new one"
    107 INELIGIBLE_REPLICA                                          final       "Ineligible Replica": "a new replica may not be in the set of those in sync"
    108 NEW_LEADER_ELECTED                                          final       "New Leader Elected": "the change made another replica the leader"
    109 OFFSET_MOVED_TO_TIERED_STORAGE                              final       "Offset Moved To Tiered Storage": "the offset lies in tiered storage and is not kept locally"
    110 FENCED_MEMBER_EPOCH                                         final       "Fenced Member Epoch": "the coordinator gave up the member's epoch: join again"
    111 UNRELEASED_INSTANCE_ID                                      final       "Unreleased Instance Id": "another member still uses this group instance id"
    112 UNSUPPORTED_ASSIGNOR                                        final       "Unsupported Assignor": "the group does not support the assignor"
    113 STALE_MEMBER_EPOCH                                          final       "Stale Member Epoch": "the member's epoch is older than the group's: heartbeat, then try again"
    114 MISMATCHED_ENDPOINT_TYPE                                    final       "Mismatched Endpoint Type": "a broker was asked what controllers answer, or the reverse"
    115 UNSUPPORTED_ENDPOINT_TYPE                                   final       "Unsupported Endpoint Type": "this kind of endpoint cannot be asked for"
    116 UNKNOWN_CONTROLLER_ID                                       final       "Unknown Controller Id": "there is no controller of this id"
    117 UNKNOWN_SUBSCRIPTION_ID                                     final       "Unknown Subscription Id": "the telemetry subscription has changed: get it again"
    118 TELEMETRY_TOO_LARGE                                         final       "Telemetry Too Large": "the telemetry is larger than the broker allows"
    119 INVALID_REGISTRATION                                        final       "Invalid Registration": "the controller refuses the registration"
    120 TRANSACTION_ABORTABLE                                       final       "Transaction Abortable": "the transaction must be aborted; the producer may go on after that"
    121 INVALID_RECORD_STATE                                        final       "Invalid Record State": "the record cannot be acknowledged in its present state"
    122 SHARE_SESSION_NOT_FOUND                                     retry       "Share Session Not Found": "the broker has dropped the share session: start a new one"
    123 INVALID_SHARE_SESSION_EPOCH                                 retry       "Invalid Share Session Epoch": "a request of the share session was lost or repeated: start a new one"
    124 FENCED_STATE_EPOCH                                          final       "Fenced State Epoch": "the share coordinator's state epoch has moved on"
    125 INVALID_VOTER_KEY                                           final       "Invalid Voter Key": "the voter key does not match the replica"
    126 DUPLICATE_VOTER                                             final       "Duplicate Voter": "the replica is a voter already"
    127 VOTER_NOT_FOUND                                             final       "Voter Not Found": "the replica is no voter"
    128 INVALID_REGULAR_EXPRESSION                                  final       "Invalid Regular Expression": "the broker cannot compile the regular expression"
    129 REBOOTSTRAP_REQUIRED                                        final       "Rebootstrap Required": "what the client knows of the cluster is out of date: start again from the bootstrap addresses"
    130 STREAMS_INVALID_TOPOLOGY                                    final       "Streams Invalid Topology": "the streams topology is not valid"
    131 STREAMS_INVALID_TOPOLOGY_EPOCH                              final       "Streams Invalid Topology Epoch": "the epoch of the streams topology is not valid"
    132 STREAMS_TOPOLOGY_FENCED                                     final       "Streams Topology Fenced": "the epoch of the streams topology is out of date"
    133 SHARE_SESSION_LIMIT_REACHED                                 retry       "Share Session Limit Reached": "the broker has as many share sessions as it allows"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ER-M1
    #[test]
    fn display_shows_code_title_and_description() {
        assert_eq!(
            ErrorCode::NOT_CONTROLLER.to_string(),
            "[41] Not Controller: another broker is the controller"
        );
        assert_eq!(ErrorCode(32_000).to_string(), "[32000] unknown error code");
        assert_eq!(
            format!("{:?}", ErrorCode::NOT_LEADER_FOR_PARTITION),
            "NOT_LEADER_OR_FOLLOWER"
        );
        assert_eq!(format!("{:?}", ErrorCode(-7)), "ErrorCode(-7)");
    }

    /// ER-M2, ER-M3: every code has both but those that nobody knows, which keep their number
    #[test]
    fn unknown_codes_are_kept_without_title_and_description() {
        assert_eq!(ErrorCode::ALL.len(), 135);
        for code in (i16::MIN..=i16::MAX).map(ErrorCode) {
            let known = ErrorCode::ALL.contains(&code);
            assert_eq!(known, (-1..=133).contains(&code.code()));
            for text in [code.name(), code.title(), code.description()] {
                assert_eq!(text.is_empty(), !known, "{}", code.code());
                assert!(!text.ends_with('.'), "{text}");
            }
        }
    }

    /// ER-M4
    #[test]
    fn only_request_timed_out_is_a_timeout() {
        let timeouts: Vec<_> = ErrorCode::ALL.iter().filter(|c| c.is_timeout()).collect();
        assert_eq!(timeouts, [&ErrorCode::REQUEST_TIMED_OUT]);
    }

    /// ER-M5: up to 76 what Go programs are used to, later codes like the Java client
    #[test]
    fn temporary_codes_are_the_known_ones() {
        let temporary: Vec<_> = ErrorCode::ALL
            .iter()
            .filter(|c| c.is_temporary())
            .map(|c| c.code())
            .collect();
        assert_eq!(
            temporary,
            [
                2, 3, 5, 6, 7, 13, 14, 15, 16, 19, 20, 41, 56, 70, 71, 72, 74, 75, 78, 80, 83, 84,
                88, 89, 100, 103, 106, 122, 123, 133
            ]
        );
        let lasting: Vec<_> = ErrorCode::ALL
            .iter()
            .filter(|c| c.is_retriable() && !c.is_temporary())
            .map(|c| c.code())
            .collect();
        assert_eq!(lasting, [9, 51]);
    }

    #[test]
    fn codes_that_refresh_something_are_retriable() {
        for code in ErrorCode::ALL {
            assert!(
                !(code.refreshes_metadata() || code.refreshes_coordinator()) || code.is_retriable(),
                "{code}"
            );
        }
        let coordinator: Vec<_> = ErrorCode::ALL
            .iter()
            .filter(|c| c.refreshes_coordinator())
            .collect();
        assert_eq!(
            coordinator,
            [
                &ErrorCode::COORDINATOR_NOT_AVAILABLE,
                &ErrorCode::NOT_COORDINATOR
            ]
        );
    }

    #[test]
    fn former_names_are_the_same_codes() {
        assert_eq!(ErrorCode::UNKNOWN, ErrorCode(-1));
        assert_eq!(ErrorCode::INVALID_MESSAGE, ErrorCode(2));
        assert_eq!(ErrorCode::INVALID_MESSAGE_SIZE, ErrorCode(4));
        assert_eq!(ErrorCode::NOT_LEADER_FOR_PARTITION, ErrorCode(6));
        assert_eq!(ErrorCode::MESSAGE_SIZE_TOO_LARGE, ErrorCode(10));
        assert_eq!(ErrorCode::GROUP_LOAD_IN_PROGRESS, ErrorCode(14));
        assert_eq!(ErrorCode::GROUP_COORDINATOR_NOT_AVAILABLE, ErrorCode(15));
        assert_eq!(ErrorCode::NOT_COORDINATOR_FOR_GROUP, ErrorCode(16));
        assert_eq!(ErrorCode::INVALID_TOPIC, ErrorCode(17));
        assert_eq!(ErrorCode::INVALID_PARTITION_NUMBER, ErrorCode(37));
        assert_eq!(ErrorCode::INVALID_CONFIGURATION, ErrorCode(40));
        assert_eq!(ErrorCode::INVALID_TRANSACTION_STATE, ErrorCode(48));
        assert_eq!(ErrorCode::BROKER_AUTHORIZATION_FAILED, ErrorCode(55));
    }
}
