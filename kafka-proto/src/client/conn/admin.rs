//! Administration by one connection: asked of its broker, whoever that is.

use super::{Conn, Side, Terms};
use crate::{
    api::{Request, list_groups::ListedGroup},
    client::{
        Call, TopicConfig, TopicResult,
        admin::{self, Asking, Until},
    },
    error::Error,
};

impl Asking for &Conn {
    fn ask<R: Request + Send + Sync + 'static>(
        &self,
        request: R,
        highest: i16,
        until: Until,
    ) -> Call<R> {
        let (side, extra) = match until {
            Until::Read => (Side::Read, std::time::Duration::ZERO),
            Until::Change(limit) => (Side::Write, limit),
        };
        let terms = Terms {
            highest,
            extra,
            ..Terms::default()
        };
        self.submit(request, terms, side)
    }
}

impl Conn {
    /// Creates topics; one that exists is left as it is.
    ///
    /// # Errors
    ///
    /// The first refusal; topics beside it may have been created. Brokers of clusters with ZooKeeper refuse it unless they
    /// are the [controller](Conn::controller).
    #[doc(alias = "CreateTopics")]
    pub async fn create_topics(&self, topics: &[TopicConfig]) -> Result<(), Error> {
        let results = self.create_topics_detailed(topics).await?;
        admin::first_failure(results, |error| error.code() == Some(admin::EXISTS))
    }

    /// Creates topics and says what became of each, in their order; here one that exists is an error.
    ///
    /// # Errors
    ///
    /// A configuration that cannot be, the write deadline passed, or the connection ended.
    pub async fn create_topics_detailed(
        &self,
        topics: &[TopicConfig],
    ) -> Result<Vec<TopicResult>, Error> {
        admin::create_topics(&self, topics, self.time_for_change()).await
    }

    /// Deletes topics.
    ///
    /// # Errors
    ///
    /// The first refusal, also that of a topic that does not exist; topics beside it may have been deleted.
    #[doc(alias = "DeleteTopics")]
    pub async fn delete_topics(&self, topics: &[&str]) -> Result<(), Error> {
        admin::first_failure(self.delete_topics_detailed(topics).await?, |_| false)
    }

    /// Deletes topics and says what became of each, in their order.
    ///
    /// # Errors
    ///
    /// The write deadline passed, or the connection ended.
    pub async fn delete_topics_detailed(&self, topics: &[&str]) -> Result<Vec<TopicResult>, Error> {
        admin::delete_topics(&self, topics, self.time_for_change()).await
    }

    /// Asks for the groups that this broker coordinates.
    ///
    /// # Errors
    ///
    /// The broker refused, a deadline passed, or the connection ended.
    #[doc(alias = "ListGroups")]
    pub async fn list_groups(&self) -> Result<Vec<ListedGroup>, Error> {
        admin::list_groups(&self).await
    }

    /// How long a broker may work on a change: as long as the write deadline leaves.
    fn time_for_change(&self) -> std::time::Duration {
        let most = self.config().request_timeout;
        let deadline = self.link.deadlines().write;
        deadline.map_or(most, |at| {
            most.min(at.saturating_duration_since(self.now().instant))
        })
    }
}
