//! Where a record is to go: a batch does not say it, so only a writer heeds it.

use super::Record;

impl<'a> Record<'a> {
    /// Sets the topic. Default: the topic of the writer.
    pub fn topic(self, topic: &'a str) -> Self {
        Self {
            topic: Some(topic),
            ..self
        }
    }

    /// Sets the partition. Default: what the writer's balancer picks.
    pub fn partition(self, partition: i32) -> Self {
        Self {
            partition: Some(partition),
            ..self
        }
    }
}
