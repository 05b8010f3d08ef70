//! The one filter of posts: what a caller may ask for, and how it is said in SQL. List, count, calendar and exports
//! all go through here.

use chrono::{DateTime, Utc};
use palaver_domain::{
    AccountId, ChannelId, PostGroupId, PostId, TagId, UserId,
    posts::{ContentType, Status},
};
use sqlx::{Postgres, QueryBuilder};

use super::words;
use crate::texts;

/// Who asks, and what they may see.
#[derive(Clone, Debug)]
pub struct Viewer {
    pub tenant: AccountId,
    /// Sees the posts that they are composing themselves.
    pub user: UserId,
    /// The active channels that they may see.
    pub channels: Vec<ChannelId>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    #[default]
    CreatedTime,
    /// Posts without one count as earlier than all others.
    PublishTime,
}

impl SortBy {
    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::CreatedTime => "created_at",
            Self::PublishTime => "publish_at",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    Ascending,
    #[default]
    Descending,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    #[default]
    None,
    /// An entry is `{"_id": <group>, "posts": [...]}` with those posts of the group that match; groups are counted.
    /// A group stands where its first post (in the order asked for) would stand.
    PostGroup,
}

/// Source: seed 003, `GET /cp/posts` and `POST /cp/posts`. An empty list, or `None`, does not filter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PostFilter {
    /// Lifts the limit to visible, active channels.
    pub group: Option<PostGroupId>,
    pub statuses: Vec<Status>,
    pub needs_attention: Option<bool>,
    pub imported: Option<bool>,
    pub via_publisher_app: Option<bool>,
    pub promoted: Option<bool>,
    pub channels: Vec<ChannelId>,
    pub assignees: Vec<UserId>,
    pub tags: Vec<TagId>,
    /// Whether a post must have all of `tags` instead of any (`useAndFilter`).
    pub all_tags: bool,
    /// For each word in it a post has a word that begins with it. Without any word it does not filter.
    pub search: Option<String>,
    /// On the time that is sorted by; inclusive.
    pub since: Option<DateTime<Utc>>,
    /// On the time that is sorted by; exclusive, so that ranges which follow each other share no post.
    pub until: Option<DateTime<Utc>>,
    pub story_publisher: Option<UserId>,
    pub types: Vec<ContentType>,
    pub sort_by: SortBy,
}

/// Which part of the result, and in what order.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub offset: i64,
    /// At most [`super::PAGE_POSTS_MAX`] are given.
    pub count: i64,
    pub order: Order,
    /// Comes first, when it matches. The API asks for it only together with a group.
    pub selected: Option<PostId>,
    pub grouping: Grouping,
}

impl Default for Page {
    fn default() -> Self {
        Self { offset: 0, count: 20, order: Order::default(), selected: None, grouping: Grouping::default() }
    }
}

/// The nearest time that PostgreSQL can compare with, and that a calendar can show: years 1 to 9999.
pub(super) fn in_postgres(time: DateTime<Utc>) -> DateTime<Utc> {
    const SECONDS: (i64, i64) = (-62_135_596_800, 253_402_300_799);
    let seconds = time.timestamp().clamp(SECONDS.0, SECONDS.1);
    if seconds == time.timestamp() { time } else { DateTime::from_timestamp(seconds, 0).unwrap_or(time) }
}

/// The channels to look at: all of the filter's that are visible, or `None` for any whatever.
pub(super) fn channels_seen(viewer: &Viewer, filter: &PostFilter) -> Option<Vec<String>> {
    match (filter.group, filter.channels.as_slice()) {
        (Some(_), []) => None,
        (Some(_), wanted) => Some(texts(wanted)),
        (None, []) => Some(texts(&viewer.channels)),
        (None, wanted) => {
            Some(wanted.iter().filter(|id| viewer.channels.contains(id)).map(ToString::to_string).collect())
        }
    }
}

impl PostFilter {
    /// Whether the counters know the answer: they tell posts apart by channel, status and attention alone.
    pub(super) fn is_counted(&self) -> bool {
        let counted = Self {
            statuses: self.statuses.clone(),
            needs_attention: self.needs_attention,
            channels: self.channels.clone(),
            // These say nothing without the fields they belong to.
            sort_by: self.sort_by,
            all_tags: self.all_tags,
            ..Self::default()
        };
        *self == counted
    }

    /// Whether the calendar's buckets know the answer.
    pub(super) fn is_in_buckets(&self) -> bool {
        self.group.is_none()
            && self.promoted.is_none()
            && self.tags.is_empty()
            && self.search.is_none()
            && self.story_publisher.is_none()
    }

    /// Adds `WHERE ...` over `posts`.
    pub(super) fn push_where(&self, query: &mut QueryBuilder<'_, Postgres>, viewer: &Viewer) {
        query.push(" WHERE tenant_id = ").push_bind(viewer.tenant.to_string());
        self.push_visible(query, viewer);
        if let Some(channels) = channels_seen(viewer, self) {
            query.push(" AND channel_id = ANY(").push_bind(channels).push(")");
        }
        self.push_shared(query);
        self.push_rest(query, viewer.tenant);
    }

    /// Posts being composed are their author's alone.
    fn push_visible(&self, query: &mut QueryBuilder<'_, Postgres>, viewer: &Viewer) {
        query.push(" AND (status <> 'preDraft' OR author = ").push_bind(viewer.user.to_string()).push(")");
    }

    /// What can be asked of posts and of the calendar's buckets alike: both have these columns.
    pub(super) fn push_shared(&self, query: &mut QueryBuilder<'_, Postgres>) {
        match self.statuses.as_slice() {
            [] => {}
            [one] => drop(query.push(" AND status = ").push_bind(one.as_str())),
            many => drop(query.push(" AND status = ANY(").push_bind(texts(many)).push(")")),
        }
        for (column, wanted) in [
            ("needs_attention", self.needs_attention),
            ("imported", self.imported),
            ("via_publisher_app", self.via_publisher_app),
        ] {
            if let Some(wanted) = wanted {
                query.push(format_args!(" AND {column} = ")).push_bind(wanted);
            }
        }
        if !self.assignees.is_empty() {
            query.push(" AND assignee <> '' AND assignee = ANY(").push_bind(texts(&self.assignees)).push(")");
        }
        if !self.types.is_empty() {
            query.push(" AND type = ANY(").push_bind(texts(&self.types)).push(")");
        }
    }

    /// What only posts can answer.
    fn push_rest(&self, query: &mut QueryBuilder<'_, Postgres>, tenant: AccountId) {
        if let Some(group) = self.group {
            query.push(" AND group_id = ").push_bind(group.to_string());
        }
        if let Some(promoted) = self.promoted {
            query.push(" AND promoted = ").push_bind(promoted);
        }
        self.push_tags(query);
        if let Some(words) = self.search.as_deref().and_then(|search| words::tsquery(tenant, search)) {
            query.push(" AND words @@ ").push_bind(words).push("::tsquery");
        }
        if let Some(publisher) = self.story_publisher {
            query.push(" AND story_publisher = ").push_bind(publisher.to_string());
        }
        let column = self.sort_by.column();
        if let Some(since) = self.since {
            query.push(format_args!(" AND {column} >= ")).push_bind(in_postgres(since));
        }
        if let Some(until) = self.until {
            query.push(format_args!(" AND {column} < ")).push_bind(in_postgres(until));
        }
    }

    pub(super) fn push_tags(&self, query: &mut QueryBuilder<'_, Postgres>) {
        if !self.tags.is_empty() {
            let operator = if self.all_tags { "@>" } else { "&&" };
            query.push(format_args!(" AND tags {operator} ")).push_bind(texts(&self.tags));
        }
    }
}
