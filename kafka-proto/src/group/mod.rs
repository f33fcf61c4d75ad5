//! Consumer groups, the classic protocol: who reads which partitions, and how members tell each other.
//!
//! In a classic group the brokers only carry messages: each member sends a [`Subscription`] to the coordinator, one of
//! them, the leader, gets all of them, decides, and sends each member its [`Assignment`] (KIP-62, KIP-429). What decides
//! is a [`GroupBalancer`]; the ones here give the results of the Java client, so that Java's consumers and ours can share
//! a group.
//!
//! | balancer | name | what it does |
//! |---|---|---|
//! | [`RangeGroupBalancer`] | `range` | neighbouring partitions of each topic; aware of racks (KIP-881) |
//! | [`RoundRobinGroupBalancer`] | `roundrobin` | one partition after the other, over all topics |
//! | [`StickyGroupBalancer`] | `sticky` | even, and few partitions move; aware of racks |
//! | [`CooperativeStickyGroupBalancer`] | `cooperative-sticky` | the same, and nobody stops reading what stays (KIP-429) |
//! | [`RackAffinityGroupBalancer`] | `rack-affinity` | readers near the leaders of their partitions |
//!
//! ```
//! use kafka_proto::group::{GroupBalancer, GroupMember, GroupTopic, RangeGroupBalancer};
//!
//! let members = ["a", "b"].map(|id| GroupMember::new(id).topics(["orders"]));
//! let assignments = RangeGroupBalancer.assign(&members, &[GroupTopic::new("orders", 5)]);
//! assert_eq!(assignments["a"]["orders"], [0, 1, 2]);
//! assert_eq!(assignments["b"]["orders"], [3, 4]);
//! ```
//!
//! All of it is pure: no balancer has a state, so one can serve many groups.

#[cfg(any(test, feature = "unstable"))]
pub mod fuzz;
mod protocol;
mod rack_affinity;
mod racks;
mod range;
mod roster;
mod round_robin;
mod sticky;

use std::{collections::BTreeMap, error::Error as StdError, fmt};

use bytes::Bytes;

pub use protocol::{Assignment, GroupProtocolError, Subscription};
pub use rack_affinity::RackAffinityGroupBalancer;
pub use range::RangeGroupBalancer;
pub use round_robin::RoundRobinGroupBalancer;
pub use sticky::{CooperativeStickyGroupBalancer, StickyGroupBalancer, StickyUserData};

/// Partitions, by topic.
pub type TopicPartitions = BTreeMap<String, Vec<i32>>;

/// What each member gets, by member id. A member that gets nothing is there all the same.
#[doc(alias = "GroupMemberAssignments")]
pub type GroupAssignments = BTreeMap<String, TopicPartitions>;

/// Decides who reads which partitions.
///
/// Write your own to place readers by what you know of them: the name must be one that no other balancer of the group
/// has, and all members must know it.
///
/// Source: acceptance GB-01..08.
#[doc(alias = "ConsumerPartitionAssignor")]
#[doc(alias = "PartitionAssignor")]
#[doc(alias = "Assignor")]
pub trait GroupBalancer: fmt::Debug + Send + Sync {
    /// The name under which members agree on it.
    #[doc(alias = "name")]
    fn protocol_name(&self) -> &str;

    /// Whether members keep what they have while the group decides anew (KIP-429). Default: no; then each gives up all of
    /// its partitions first.
    ///
    /// A cooperative balancer must not give a partition to anyone before its last owner has given it up: it leaves it out,
    /// and decides again when the owner has joined without it.
    #[doc(alias = "supportedProtocols")]
    fn is_cooperative(&self) -> bool {
        false
    }

    /// What a member tells the leader beside its topics; `last` is what it had when it was last in the group. Default:
    /// nothing.
    ///
    /// # Errors
    ///
    /// Whatever keeps a balancer from knowing what to say; the member does not join then.
    #[doc(alias = "subscriptionUserData")]
    fn user_data(
        &self,
        last: Option<&Owned>,
    ) -> Result<Option<Bytes>, Box<dyn StdError + Send + Sync>> {
        let _ = last;
        Ok(None)
    }

    /// Who gets what, decided by the leader.
    ///
    /// `topics` are those that the cluster knows; a topic that is missing is nobody's. The answer should have an entry for
    /// each member, and no partition twice.
    #[doc(alias = "AssignGroups")]
    fn assign(&self, members: &[GroupMember], topics: &[GroupTopic]) -> GroupAssignments;
}

/// What a member of a group had.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Owned {
    /// Its partitions.
    pub partitions: TopicPartitions,
    /// The generation of the group in which it had them.
    pub generation: i32,
}

/// A member as the leader sees it: what it sent in its JoinGroup request, and its id.
///
/// Source: acceptance GB-04.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct GroupMember {
    /// Given by the coordinator.
    pub id: String,
    /// Given by the user, for a static member (KIP-345).
    pub instance_id: Option<String>,
    /// What it sent.
    pub subscription: Subscription,
}

impl GroupMember {
    /// A member without topics.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }

    /// Sets the topics that it wants.
    pub fn topics<T: Into<String>>(mut self, topics: impl IntoIterator<Item = T>) -> Self {
        self.subscription.topics = topics.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the name of a static member.
    pub fn instance_id(self, id: impl Into<String>) -> Self {
        Self {
            instance_id: Some(id.into()),
            ..self
        }
    }

    /// Sets all that it sent.
    pub fn subscription(self, subscription: Subscription) -> Self {
        Self {
            subscription,
            ..self
        }
    }

    /// Its rack, unless that is empty.
    pub(crate) fn rack(&self) -> Option<&str> {
        self.subscription.rack.as_deref().filter(|r| !r.is_empty())
    }
}

/// A topic that members may want.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct GroupTopic {
    /// Its name.
    pub name: String,
    /// How many partitions it has; they count from 0.
    pub partitions: usize,
    /// The racks of each partition's replicas, the leader's first; shorter or empty where they are not known.
    pub replica_racks: Vec<Vec<String>>,
}

impl GroupTopic {
    /// A topic whose racks are not known.
    pub fn new(name: impl Into<String>, partitions: usize) -> Self {
        Self {
            name: name.into(),
            partitions,
            replica_racks: Vec::new(),
        }
    }

    /// Sets the racks of each partition's replicas, the leader's first.
    pub fn replica_racks(self, replica_racks: Vec<Vec<String>>) -> Self {
        Self {
            replica_racks,
            ..self
        }
    }

    /// The racks of one partition's replicas.
    pub(crate) fn racks_of(&self, partition: usize) -> &[String] {
        self.replica_racks.get(partition).map_or(&[], |r| r)
    }
}
