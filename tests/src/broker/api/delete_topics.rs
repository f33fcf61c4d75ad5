//! DeleteTopics 0 to 6: topics by name, from version 6 on by id too.
//!
//! - A name that does not exist is UNKNOWN_TOPIC_OR_PARTITION, an id UNKNOWN_TOPIC_ID; name and id at once, or neither, is
//!   INVALID_REQUEST.
//! - A topic is gone at once, and created again it has another id.
//! - Not done: `delete.topic.enable`.

use std::ops::RangeInclusive;

use kafka_proto::{
    api::delete_topics::{
        DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
    },
    error::ErrorCode,
    wire::Uuid,
};

use super::super::{Cluster, request::Request};

pub(super) const VERSIONS: RangeInclusive<i16> = 0..=6;

impl Cluster {
    pub(super) fn delete_topics(
        &mut self,
        request: &Request,
        m: &DeleteTopicsRequest,
    ) -> DeleteTopicsResponse {
        let wanted = wanted(request.version, m);
        let mut each = |topic: &DeleteTopicState| {
            let found = self.find_doomed(topic);
            let code = match &found {
                Ok(name) => {
                    self.delete_topic(name);
                    ErrorCode::NONE
                }
                Err(code) => *code,
            };
            // what was asked for by id is named if it was there
            let name = found.ok().or_else(|| topic.name.clone());
            result(name, topic.topic_id, code)
        };
        DeleteTopicsResponse::build(|r| r.responses = wanted.iter().map(&mut each).collect())
    }

    fn find_doomed(&self, topic: &DeleteTopicState) -> Result<String, ErrorCode> {
        let by_id = topic.topic_id != Uuid::default();
        match &topic.name {
            Some(name) if !by_id => match self.topics.get(name) {
                Some(_) => Ok(name.clone()),
                None => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            },
            None if by_id => match self.topics.name_of(topic.topic_id) {
                Some(name) => Ok(name.to_owned()),
                None => Err(ErrorCode::UNKNOWN_TOPIC_ID),
            },
            _ => Err(ErrorCode::INVALID_REQUEST),
        }
    }
}

pub(super) fn refuse(
    version: i16,
    m: &DeleteTopicsRequest,
    code: ErrorCode,
) -> DeleteTopicsResponse {
    let each = |topic: &DeleteTopicState| result(topic.name.clone(), topic.topic_id, code);
    DeleteTopicsResponse::build(|r| r.responses = wanted(version, m).iter().map(each).collect())
}

/// The topics of a request, in the shape that version 6 has for them.
fn wanted(version: i16, m: &DeleteTopicsRequest) -> Vec<DeleteTopicState> {
    if version >= 6 {
        return m.topics.clone();
    }
    let named = |name: &String| DeleteTopicState::build(|t| t.name = Some(name.clone()));
    m.topic_names.iter().map(named).collect()
}

fn result(name: Option<String>, id: Uuid, code: ErrorCode) -> DeletableTopicResult {
    DeletableTopicResult::build(|t| {
        t.name = name;
        t.topic_id = id;
        t.error_code = code.code();
    })
}
