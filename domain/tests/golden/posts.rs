//! Samples of what happens to posts, their groups and workbenches.

use chrono::{DateTime, Utc};
use palaver_domain::{
    AccountId, CategoryId, ChannelId, FeedItemId, MediaId, PostGroupId, PostId, TagId, UserId,
    channels::Network,
    posts::{
        Animation, ChannelRef, Content, ContentType, FailureReason, Image, InlineLink, Link, Location, MediaTag,
        Mention, PostEvent, PostGroupEvent, ProductTag, StoryWorkaround, Video, WorkbenchEvent,
    },
};
use serde_json::json;

use crate::{Types, id, time};

fn full_content() -> Content {
    Content {
        kind: ContentType::Carousel,
        text: "Grüße aus Köln 😀".to_owned(),
        title: Some("Grüße".to_owned()),
        mentions: vec![
            Mention { offset: 0, length: 5, id: Some("ann".to_owned()), meta: Some("page".to_owned()) },
            Mention { offset: 6, length: 3, id: None, meta: None },
        ],
        images: vec![
            Image {
                id: id::<MediaId>(1),
                index: Some(0),
                link: Some("https://example.com/a".to_owned()),
                name: Some("a".to_owned()),
                description: Some("b".to_owned()),
                alt_text: Some("c".to_owned()),
                note: Some("d".to_owned()),
                tags: vec![MediaTag { id: "7".to_owned(), x: 0.1, y: 1.0 }],
                product_tags: vec![ProductTag {
                    id: "8".to_owned(),
                    title: "Cup".to_owned(),
                    x: Some(0.25),
                    y: Some(0.0),
                }],
            },
            Image { id: id(2), ..Image::default() },
        ],
        videos: vec![Video {
            id: id(3),
            thumbnail_id: Some(id(4)),
            index: Some(1),
            link: Some("https://example.com/v".to_owned()),
            note: Some("e".to_owned()),
            product_tags: vec![ProductTag { id: "9".to_owned(), title: "Pot".to_owned(), x: None, y: None }],
        }],
        animations: vec![Animation { id: id(5), index: Some(2), tags: vec![], product_tags: vec![] }],
        links: vec![Link {
            id: "10".to_owned(),
            can_customize: Some(true),
            custom_title: Some("f".to_owned()),
            custom_description: Some("g".to_owned()),
            custom_image: Some(id(6)),
            facebook_link: Some(false),
        }],
        inline_links: vec![InlineLink {
            offset: 1,
            length: 2,
            anchor: "h".to_owned(),
            href: "https://example.com/h".to_owned(),
        }],
        location: Some(Location {
            id: "11".to_owned(),
            name: "Köln".to_owned(),
            link: Some("https://example.com/k".to_owned()),
            address: Some("Domplatz 1".to_owned()),
        }),
        first_comment: Some("First".to_owned()),
        facebook: Some(json!({"targeting": {"countries": ["DE"]}})),
        linkedin: Some(json!({"targeting": {}})),
        tiktok: Some(json!({"allowComments": false})),
        pinterest: Some(json!({"boardId": "12"})),
    }
}

fn planned(network: Network, publish_time: Option<DateTime<Utc>>, zone: Option<&str>) -> PostEvent {
    PostEvent::Planned {
        id: id::<PostId>(0x10),
        account_id: id::<AccountId>(0x11),
        group_id: id::<PostGroupId>(0x12),
        channel: ChannelRef { id: id::<ChannelId>(0x13), unique_name: "@acme".to_owned(), social_network: network },
        author: id::<UserId>(0x14),
        publish_time,
        publish_time_zone: zone.map(str::to_owned),
    }
}

pub fn posts(types: &mut Types) {
    let at = time("2025-03-30T01:30:00.123456Z");
    let story = |reminder_time| Some(StoryWorkaround { publisher: id(0x14), reminder_time });
    let failed = |reason| PostEvent::PublishingFailed { reason, error: "no".to_owned() };
    let key = || "64b0c0ffee00000000000010-1".to_owned();
    samples!(types, PostEvent {
        Planned => [
            planned(Network::Facebook, None, None),
            planned(Network::Twitter, Some(at), Some("Europe/Berlin")),
            planned(Network::InstagramBusiness, Some(time("2025-01-01T00:00:00Z")), None),
            planned(Network::Linkedin, None, None),
            planned(Network::Youtube, None, None),
            planned(Network::Pinterest, None, None),
            planned(Network::Tiktok, None, None),
            planned(Network::Wordpress, None, None),
            planned(Network::Placeholders, None, Some("UTC")),
        ],
        ContentEdited => [
            PostEvent::ContentEdited { content: Box::default() },
            PostEvent::ContentEdited { content: Box::new(full_content()) },
            content_of(ContentType::Slideshow),
            content_of(ContentType::Album),
            content_of(ContentType::Tweet),
            content_of(ContentType::Media),
            content_of(ContentType::Story),
            content_of(ContentType::StoryWorkaround),
            content_of(ContentType::PostWorkaround),
            content_of(ContentType::Pin),
            content_of(ContentType::Igtv),
            content_of(ContentType::Reel),
        ],
        PublishTimeSet => [
            PostEvent::PublishTimeSet { publish_time: None, publish_time_zone: None },
            PostEvent::PublishTimeSet { publish_time: Some(at), publish_time_zone: Some("Asia/Tokyo".to_owned()) },
        ],
        TagsSet => [
            PostEvent::TagsSet { tags: vec![] },
            PostEvent::TagsSet { tags: vec![id::<TagId>(1), id(2)] },
        ],
        CategoriesSet => [
            PostEvent::CategoriesSet { categories: vec![] },
            PostEvent::CategoriesSet { categories: vec![id::<CategoryId>(1), id(2)] },
        ],
        Assigned => [
            PostEvent::Assigned { assignee: None },
            PostEvent::Assigned { assignee: Some(id(0x15)) },
        ],
        StoryWorkaroundSet => [
            PostEvent::StoryWorkaroundSet { story_workaround: None },
            PostEvent::StoryWorkaroundSet { story_workaround: story(None) },
            PostEvent::StoryWorkaroundSet { story_workaround: story(Some(at)) },
        ],
        AttentionCleared => [PostEvent::AttentionCleared],
        SavedAsDraft => [PostEvent::SavedAsDraft],
        Suggested => [PostEvent::Suggested { by: None }, PostEvent::Suggested { by: Some(id(0x14)) }],
        Approved => [PostEvent::Approved { publish_time: at }],
        Rejected => [
            PostEvent::Rejected { message: None, item_id: id::<FeedItemId>(0x16) },
            PostEvent::Rejected { message: Some("Not yet".to_owned()), item_id: id(0x16) },
        ],
        Scheduled => [PostEvent::Scheduled { publish_time: at }],
        Unscheduled => [PostEvent::Unscheduled],
        PublishingStarted => [PostEvent::PublishingStarted { publication: 1, key: key() }],
        PublishingResumed => [PostEvent::PublishingResumed { key: key(), call: 2 }],
        PublishingOutcomeUnknown => [
            PostEvent::PublishingOutcomeUnknown { key: key(), error: "connection reset".to_owned() },
        ],
        Published => [
            PostEvent::Published { key: key(), network_item_id: None, network_url: None },
            PostEvent::Published {
                key: key(),
                network_item_id: Some("item".to_owned()),
                network_url: Some("https://example.com/item".to_owned()),
            },
        ],
        PublishingFailed => [
            failed(FailureReason::Internal),
            failed(FailureReason::NetworkError),
            failed(FailureReason::FalseNetworkError),
            failed(FailureReason::MissingPermission),
            failed(FailureReason::AlbumNetworkError),
        ],
        Commented => [
            PostEvent::Commented { item_id: id(0x16), message: "Nice".to_owned(), mentions: vec![] },
            PostEvent::Commented { item_id: id(0x16), message: "Nice".to_owned(), mentions: vec![id(0x14), id(0x15)] },
        ],
        Deleted => [PostEvent::Deleted],
    });
}

fn content_of(kind: ContentType) -> PostEvent {
    PostEvent::ContentEdited { content: Box::new(Content { kind, ..Content::default() }) }
}

pub fn groups(types: &mut Types) {
    let created = |posts| PostGroupEvent::Created { id: id(0x12), account_id: id(0x11), author: id(0x14), posts };
    samples!(types, PostGroupEvent {
        Created => [created(vec![(id(0x13), id(0x10))]), created(vec![(id(0x13), id(0x10)), (id(0x23), id(0x20))])],
        PostRemoved => [PostGroupEvent::PostRemoved { post_id: id(0x10) }],
        Deleted => [PostGroupEvent::Deleted],
    });
}

pub fn workbenches(types: &mut Types) {
    samples!(types, WorkbenchEvent {
        Opened => [WorkbenchEvent::Opened { group_id: id(0x12) }],
        Cleared => [WorkbenchEvent::Cleared { group_id: id(0x12) }],
    });
}
