//! Brokers, partitions and who leads them.

use std::{collections::BTreeMap, fmt};

use super::{Conn, Side, Terms};
use crate::{
    api::{
        ApiKey,
        api_versions::{ApiVersion, ApiVersionsRequest},
        metadata::{
            MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
        },
    },
    config::Address,
    error::{Error, ErrorCode, ErrorKind, Scope},
    machine::{backoff, handshake::Versions},
};

/// How often a lookup asks before it believes that something is not there.
const ATTEMPTS: u32 = 5;

/// A broker, as the cluster describes it.
///
/// Source: acceptance TY-02.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Broker {
    /// Its number.
    pub id: i32,
    /// The host that it advertises; empty for a replica whose broker is down.
    pub host: String,
    /// The port that it advertises; 0 for a replica whose broker is down.
    pub port: u16,
    /// Its rack, if it has one.
    pub rack: Option<String>,
}

impl Broker {
    /// Where it listens.
    pub fn address(&self) -> Address {
        Address::new(self.host.clone(), self.port)
    }

    /// One of which only the number is known.
    fn down(id: i32) -> Self {
        Self {
            id,
            host: String::new(),
            port: 0,
            rack: None,
        }
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broker {} at {}", self.id, self.address())
    }
}

/// A partition, as the cluster describes it.
///
/// Source: acceptance TY-05.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Partition {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub id: i32,
    /// Who leads it; `None` while nobody does.
    pub leader: Option<Broker>,
    /// Who has it, the preferred leader first.
    pub replicas: Vec<Broker>,
    /// Who has all of it.
    pub isr: Vec<Broker>,
    /// Who has it on a broker or disk that is down; brokers say it from 1.0 on.
    pub offline_replicas: Vec<Broker>,
}

impl Conn {
    /// Asks which versions of which APIs the broker serves.
    ///
    /// # Errors
    ///
    /// The broker refused, a deadline passed, or the connection ended.
    #[doc(alias = "ApiVersions")]
    pub async fn api_versions(&self) -> Result<Vec<ApiVersion>, Error> {
        let request = ApiVersionsRequest::build(|r| {
            r.client_software_name = "kafka-client-rs".to_owned();
            r.client_software_version = env!("CARGO_PKG_VERSION").to_owned();
        });
        let response = self.submit(request, Terms::default(), Side::Read).await?;
        match ErrorCode(response.error_code) {
            ErrorCode::NONE => Ok(response.api_keys),
            code => Err(Error::refused(code, "to list its versions", None)),
        }
    }

    /// Asks for the brokers of the cluster, by number.
    ///
    /// # Errors
    ///
    /// A deadline passed, or the connection ended.
    #[doc(alias = "Brokers")]
    pub async fn brokers(&self) -> Result<Vec<Broker>, Error> {
        let response = self.metadata(Topics::None).await?;
        Ok(brokers_of(&response).into_values().collect())
    }

    /// Asks for the controller, which creates and deletes topics; with KRaft any broker passes that on, and one is named.
    ///
    /// # Errors
    ///
    /// There is none now, a deadline passed, or the connection ended.
    #[doc(alias = "Controller")]
    pub async fn controller(&self) -> Result<Broker, Error> {
        let response = self.metadata(Topics::None).await?;
        let controller = brokers_of(&response).remove(&response.controller_id);
        controller.ok_or_else(|| {
            let doing = "the lookup of the controller";
            Error::refused(ErrorCode::BROKER_NOT_AVAILABLE, doing, None)
        })
    }

    /// Asks for the partitions of topics, in the order of the topics and by number; without topics, those of the
    /// connection's topic, or if it has none, of all topics.
    ///
    /// A topic that does not exist has no partitions. Brokers before 0.11 that are set to create topics on demand create
    /// those that are asked for; later ones are told not to.
    ///
    /// # Errors
    ///
    /// The broker refused to describe a topic, a deadline passed, or the connection ended.
    #[doc(alias = "ReadPartitions")]
    pub async fn read_partitions(&self, topics: &[&str]) -> Result<Vec<Partition>, Error> {
        let own = [&*self.topic];
        let topics = match topics {
            [] if self.topic.is_empty() => return self.read_all_partitions().await,
            [] => &own,
            topics => topics,
        };
        let response = self.metadata(Topics::These(topics)).await?;
        partitions_of(&response, Some(topics))
    }

    /// Asks for the partitions of all topics of the cluster, by topic and number.
    ///
    /// # Errors
    ///
    /// A deadline passed, or the connection ended.
    pub async fn read_all_partitions(&self) -> Result<Vec<Partition>, Error> {
        let response = self.metadata(Topics::All).await?;
        partitions_of(&response, None)
    }

    /// Asks for one partition, a few times while the broker does not know it: one that was just created takes a moment.
    ///
    /// # Errors
    ///
    /// The partition does not exist, the broker refused, the read deadline passed, or the connection ended.
    #[doc(alias = "LookupPartition")]
    pub async fn lookup_partition(&self, topic: &str, partition: i32) -> Result<Partition, Error> {
        self.find(topic, partition, |_| true).await
    }

    /// Asks for the leader of a partition, a few times while there is none.
    ///
    /// # Errors
    ///
    /// The partition does not exist or has no leader, the broker refused, the read deadline passed, or the connection ended.
    #[doc(alias = "LookupLeader")]
    pub async fn lookup_leader(&self, topic: &str, partition: i32) -> Result<Broker, Error> {
        let found = self.find(topic, partition, |p| p.leader.is_some()).await?;
        found.leader.ok_or_else(|| {
            let doing = "the lookup of the leader";
            let error = Error::refused(ErrorCode::LEADER_NOT_AVAILABLE, doing, None);
            error.in_partition(&topic.into(), partition)
        })
    }

    /// Asks for a partition until it is there and `is_good`; what is there in the end is returned in any case.
    async fn find(
        &self,
        topic: &str,
        partition: i32,
        is_good: impl Fn(&Partition) -> bool,
    ) -> Result<Partition, Error> {
        let mut failed = 0;
        loop {
            let response = self.metadata(Topics::These(&[topic])).await?;
            let all = partitions_of(&response, Some(&[topic]));
            let found = all.map(|all| all.into_iter().find(|p| p.id == partition));
            failed += 1;
            let last = failed == ATTEMPTS;
            match found {
                Ok(Some(found)) if last || is_good(&found) => return Ok(found),
                Err(error) if last || !error.is_retriable() => return Err(error),
                Ok(None) if last => {
                    let code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
                    let error = Error::refused(code, "the lookup of the partition", None);
                    return Err(error.in_partition(&topic.into(), partition));
                }
                _ => {}
            }
            let random = &self.link.common.random;
            let pause = backoff::pause(failed, self.config().retry_backoff, &mut random.lock());
            let mut until = self.now().instant + pause;
            // the next question then ends at the deadline, with its error
            if let Some(at) = self.link.deadlines().read {
                until = until.min(at);
            }
            self.link.sleep_until(until).await;
        }
    }

    async fn metadata(&self, topics: Topics<'_>) -> Result<MetadataResponse, Error> {
        let versions = self.versions().await?;
        let request = topics.request(&versions);
        self.submit(request, Terms::default(), Side::Read).await
    }
}

/// Which topics to ask about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Topics<'a> {
    None,
    These(&'a [&'a str]),
    All,
}

impl Topics<'_> {
    /// The question, in a form that a broker of these versions understands.
    pub(crate) fn request(self, versions: &Versions) -> MetadataRequest {
        let version = versions.choose(ApiKey::Metadata, i16::MAX);
        self.request_in(version.unwrap_or(0))
    }

    /// The question for a broker that answers in this version.
    pub(crate) fn request_in(self, version: i16) -> MetadataRequest {
        MetadataRequest::build(|r| {
            r.topics = match self {
                Self::These(topics) => Some(
                    topics
                        .iter()
                        .map(|topic| {
                            MetadataRequestTopic::build(|t| t.name = Some((*topic).to_owned()))
                        })
                        .collect(),
                ),
                Self::None => Some(Vec::new()),
                // version 0 has no null, and an empty list is all
                Self::All if version == 0 => Some(Vec::new()),
                Self::All => None,
            };
            // brokers before 0.11 cannot be told
            r.allow_auto_topic_creation = version < 4;
        })
    }
}

/// The brokers by their numbers.
pub(crate) fn brokers_of(response: &MetadataResponse) -> BTreeMap<i32, Broker> {
    let brokers = response.brokers.iter().filter_map(|b| {
        let broker = Broker {
            id: b.node_id,
            host: b.host.clone(),
            port: u16::try_from(b.port).ok()?,
            rack: b.rack.clone(),
        };
        Some((b.node_id, broker))
    });
    brokers.collect()
}

/// The partitions of these topics in their order, or of all that are described; the first refusal is the error.
pub(crate) fn partitions_of(
    response: &MetadataResponse,
    topics: Option<&[&str]>,
) -> Result<Vec<Partition>, Error> {
    let brokers = brokers_of(response);
    let broker = |id: i32| brokers.get(&id).cloned();
    let named = |topic: &MetadataResponseTopic| topic.name.clone().unwrap_or_default();
    let described: Vec<&MetadataResponseTopic> = match topics {
        None => response.topics.iter().collect(),
        Some(topics) => topics
            .iter()
            .filter_map(|name| response.topics.iter().find(|t| named(t) == **name))
            .collect(),
    };
    let mut all = Vec::new();
    for topic in described {
        let name = named(topic);
        match ErrorCode(topic.error_code) {
            ErrorCode::NONE => {}
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => continue,
            // an answer about everything does not fail by one of them
            _ if topics.is_none() => continue,
            code => {
                let error = Error::refused(code, "to describe the topic", None);
                return Err(error.with_scope(Scope::Topic(name.into())));
            }
        }
        let replicas = |ids: &crate::api::NodeIds| -> Vec<Broker> {
            let or_down = |id: &i32| broker(*id).unwrap_or_else(|| Broker::down(*id));
            ids.iter().map(or_down).collect()
        };
        let start = all.len();
        all.extend(topic.partitions.iter().map(|p| Partition {
            topic: name.clone(),
            id: p.partition_index,
            leader: broker(p.leader_id),
            replicas: replicas(&p.replica_nodes),
            isr: replicas(&p.isr_nodes),
            offline_replicas: replicas(&p.offline_replicas),
        }));
        all[start..].sort_by_key(|p| p.id);
    }
    Ok(all)
}

impl Partition {
    /// The leader, for whoever connects to it.
    ///
    /// # Errors
    ///
    /// There is none now.
    pub fn require_leader(&self) -> Result<&Broker, Error> {
        self.leader.as_ref().ok_or_else(|| {
            let message = "the partition has no leader now: look it up again";
            Error::new(ErrorKind::Unreachable, message)
                .in_partition(&self.topic.as_str().into(), self.id)
        })
    }
}
