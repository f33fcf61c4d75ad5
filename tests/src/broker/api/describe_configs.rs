//! DescribeConfigs 0 to 4: the configs of topics, given or by default, with where each value comes from.
//!
//! - Any broker answers. No keys, or null, are all configs; keys that do not exist are left out.
//! - A topic that does not exist is UNKNOWN_TOPIC_OR_PARTITION, an illegal name INVALID_TOPIC_EXCEPTION. A type of resource
//!   that no Kafka has refuses the whole request (INVALID_REQUEST).
//! - Values are those of 4.3 whatever the release: as the topic has them (source 1), or Kafka's defaults (5). Where 4.3
//!   names the brokers' config that a topic falls back to among the synonyms, it is named here.
//! - Version 0 says what is a default, as up to 2.4. What 2.8 and 3.9 still serve of it calls nothing a default.
//! - `retention.ms` is described with its default of a week, although records are kept here until a topic says otherwise.
//! - A change shows at once, where a broker with KRaft hears of it a little later.
//! - Not done: resources but topics (INVALID_REQUEST); what configs are for (`include_documentation`), which is null.

use std::ops::RangeInclusive;

use kafka_proto::{
    api::describe_configs::{
        DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
        DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
    },
    error::ErrorCode,
};

use super::super::{
    Cluster, Release,
    request::Request,
    topic::name_fault,
    topic_configs::{Described, OF_KAFKA, OF_THE_TOPIC},
};

pub(super) const VERSIONS: RangeInclusive<i16> = 0..=4;

/// `ConfigResource.Type` on the wire.
pub(super) const TOPIC: i8 = 2;
/// Brokers, their loggers, client metrics and groups.
pub(super) const OTHERS: [i8; 4] = [4, 8, 16, 32];

impl Cluster {
    pub(super) fn describe_configs(
        &self,
        request: &Request,
        m: &DescribeConfigsRequest,
    ) -> DescribeConfigsResponse {
        let is_type = |kind: i8| kind == TOPIC || OTHERS.contains(&kind);
        if m.resources.iter().any(|r| !is_type(r.resource_type)) {
            return refuse(m, ErrorCode::INVALID_REQUEST);
        }
        let is_old = self.release_of(request.broker) < Release::V2_8;
        let tells_defaults = is_old && request.version == 0;
        let each = |wanted: &DescribeConfigsResource| {
            let described = self.describe_topic_configs(wanted);
            let mut r = result(wanted, described.as_ref().err());
            // which is empty where there is none, and was null
            r.error_message = r.error_message.filter(|said| !is_old || !said.is_empty());
            let all = described.into_iter().flatten();
            r.configs = all.map(|d| entry(m, d, tells_defaults)).collect();
            r
        };
        DescribeConfigsResponse::build(|r| r.results = m.resources.iter().map(each).collect())
    }

    fn describe_topic_configs(
        &self,
        wanted: &DescribeConfigsResource,
    ) -> Result<Vec<Described>, (ErrorCode, String)> {
        if wanted.resource_type != TOPIC {
            let why = "the in-process broker describes topics alone";
            return Err((ErrorCode::INVALID_REQUEST, why.to_owned()));
        }
        if let Some(fault) = name_fault(&wanted.resource_name) {
            let why = format!("Topic name is invalid: {fault}");
            return Err((ErrorCode::INVALID_TOPIC_EXCEPTION, why));
        }
        let Some(topic) = self.topics.get(&wanted.resource_name) else {
            return Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, String::new()));
        };
        let mut all = topic.configs.describe();
        let keys = wanted.configuration_keys.as_deref().unwrap_or_default();
        all.retain(|d| keys.is_empty() || keys.iter().any(|key| key == d.definition.name));
        Ok(all)
    }
}

pub(super) fn refuse(m: &DescribeConfigsRequest, code: ErrorCode) -> DescribeConfigsResponse {
    let fault = (code, code.title().to_owned());
    let each = |wanted: &DescribeConfigsResource| result(wanted, Some(&fault));
    DescribeConfigsResponse::build(|r| r.results = m.resources.iter().map(each).collect())
}

fn result(
    wanted: &DescribeConfigsResource,
    fault: Option<&(ErrorCode, String)>,
) -> DescribeConfigsResult {
    DescribeConfigsResult::build(|r| {
        r.resource_type = wanted.resource_type;
        r.resource_name.clone_from(&wanted.resource_name);
        if let Some((code, why)) = fault {
            r.error_code = code.code();
            r.error_message = Some(why.clone());
        }
    })
}

fn entry(
    m: &DescribeConfigsRequest,
    described: Described,
    tells_defaults: bool,
) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::build(|c| {
        if m.include_synonyms {
            c.synonyms = synonyms(&described);
        }
        c.name = described.definition.name.to_owned();
        c.value = Some(described.value);
        c.config_source = described.source;
        c.is_default = tells_defaults && described.source == OF_KAFKA;
        c.config_type = described.definition.wire_type();
        c.documentation = None;
    })
}

/// Where the value could come from, the strongest first.
fn synonyms(described: &Described) -> Vec<DescribeConfigsSynonym> {
    let synonym = |name: &str, value: &str, source| {
        DescribeConfigsSynonym::build(|s| {
            s.name = name.to_owned();
            s.value = Some(value.to_owned());
            s.source = source;
        })
    };
    let definition = described.definition;
    let given = (described.source == OF_THE_TOPIC)
        .then(|| synonym(definition.name, &described.value, OF_THE_TOPIC));
    let fallback = definition
        .of_brokers
        .map(|name| synonym(name, definition.default, OF_KAFKA));
    given.into_iter().chain(fallback).collect()
}
