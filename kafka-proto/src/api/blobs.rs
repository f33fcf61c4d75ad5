//! What travels inside of other messages: in group metadata and assignments, and in control records.
//!
//! All of these are classic in every version, and the version stands before them as an `i16`.
//! [`StickyAssignorUserData`] alone has none: whether its generation is there must be told by its length.

use bytes::Bytes;

messages! {
    /// What a member of a classic consumer group tells its leader in JoinGroup.
    struct ConsumerProtocolSubscription {
        0..          => topics: Vec<String>,
        /// For the assignor alone.
        0..          => user_data: Option<Bytes>,
        /// What the member still has from before the rebalance (KIP-429).
        1.., or skip => owned_partitions: Vec<OwnedTopic>,
        /// The generation in which it got the owned partitions; -1 means none (KIP-792).
        2.., or skip => generation_id: i32 = -1,
        3.., or skip => rack_id: Option<String>,
    }

    /// Partitions of one topic that a member has.
    struct OwnedTopic {
        1.. => topic: String,
        1.. => partitions: Vec<i32>,
    }

    /// What the leader of a classic consumer group tells each member in SyncGroup.
    struct ConsumerProtocolAssignment {
        0.. => assigned_partitions: Vec<AssignedTopic>,
        /// From the assignor alone.
        0.. => user_data: Option<Bytes>,
    }

    /// Partitions of one topic that a member gets.
    struct AssignedTopic {
        0.. => topic: String,
        0.. => partitions: Vec<i32>,
    }

    /// The key of a control record.
    struct ControlRecordType {
        /// 0 aborts a transaction, 1 commits it; readers skip others.
        0.. => type_: i16,
    }

    /// The value of a control record that ends a transaction.
    struct EndTxnMarker {
        0.. => coordinator_epoch: i32,
    }

    /// What the sticky assignor keeps in the user data of a subscription (KIP-54, KIP-341).
    struct StickyAssignorUserData {
        0.. => previous_assignment: Vec<StickyTopic>,
        1.. => generation: i32 = -1,
    }

    /// Partitions of one topic that a member had.
    struct StickyTopic {
        0.. => topic: String,
        0.. => partitions: Vec<i32>,
    }
}
