//! List, counts and calendar of posts agree with a naive reading of the log, whatever the history and the question.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

mod support;

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use palaver_domain::posts::{ContentType, Status};
use palaver_projections::{
    all,
    posts::{DayCount, Grouping, Order, Page, PostFilter, SortBy, Viewer, calendar_days, counts, list},
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::Value;
use support::{
    Process,
    histories::{NaivePost, POSTS, Step, World, append, naive, naive_list, time_of},
    test_database,
};
use tokio_util::sync::CancellationToken;

const ZONES: [Tz; 9] = [
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::Asia__Kathmandu,
    Tz::Australia__Lord_Howe,
    Tz::America__Sao_Paulo,
    Tz::America__Havana,
    Tz::Pacific__Chatham,
    Tz::Pacific__Apia,
    Tz::UTC,
];
const SEARCHES: [&str; 9] = ["launch", "LAUNCHING sale", "neill o", "grü", "ça", "24", "b a", "':*&|!", "nowhere"];

/// A question: which of the filters are set, and to what.
type Question = (u32, u32, u16, u16);

fn filter(world: &World, (set, choice, since, until): Question) -> PostFilter {
    let on = |bit: u32| set & (1 << bit) != 0 && set & (1 << (bit + 16)) != 0;
    let pick = |n: u32| (choice / (n + 1) % 251) as u8;
    PostFilter {
        group: on(0).then(|| world.group(pick(1) % 5)),
        statuses: if on(1) {
            Status::ALL.into_iter().enumerate().filter(|(at, _)| choice >> at & 1 == 1).map(|it| it.1).collect()
        } else {
            vec![]
        },
        needs_attention: on(2).then_some(choice % 2 == 0),
        imported: on(3).then_some(choice % 5 == 0),
        via_publisher_app: on(4).then_some(choice % 2 == 1),
        promoted: on(5).then_some(choice % 7 == 0),
        channels: if on(6) { vec![world.channel(pick(2)), world.channel(pick(3))] } else { vec![] },
        assignees: if on(7) { vec![world.user(pick(4)), world.user(pick(5))] } else { vec![] },
        tags: if on(8) { vec![world.tag(pick(6)), world.tag(pick(7))] } else { vec![] },
        all_tags: on(9),
        search: on(10).then(|| SEARCHES[choice as usize % SEARCHES.len()].to_owned()),
        since: on(11).then(|| time_of(since)),
        until: on(12).then(|| time_of(until)),
        story_publisher: on(13).then(|| world.user(pick(8))),
        types: if on(14) {
            vec![ContentType::Post, ContentType::StoryWorkaround][choice as usize % 2..].to_vec()
        } else {
            vec![]
        },
        sort_by: if on(15) || on(11) || on(12) { SortBy::PublishTime } else { SortBy::CreatedTime },
    }
}

fn page(world: &World, filter: &PostFilter, (set, choice, ..): Question) -> Page {
    let grouping = if choice % 4 == 0 { Grouping::PostGroup } else { Grouping::None };
    Page {
        offset: i64::from(choice % 3 * 2),
        count: i64::from(set % 12),
        order: if choice % 2 == 0 { Order::Ascending } else { Order::Descending },
        selected: (filter.group.is_some() && grouping == Grouping::None)
            .then(|| world.post((choice % u32::from(POSTS)) as u8)),
        grouping,
    }
}

/// A post belongs to the local date that a clock shows at its time; days are told by where they begin.
fn naive_days(
    posts: &[NaivePost],
    viewer: &Viewer,
    filter: &PostFilter,
    (since, until): (DateTime<Utc>, DateTime<Utc>),
    zone: Tz,
) -> Vec<BTreeMap<String, i64>> {
    let filter = PostFilter { since: Some(since), until: Some(until), sort_by: SortBy::PublishTime, ..filter.clone() };
    // Every date that a clock shows between the two, seen minute by minute.
    let mut days: BTreeMap<_, BTreeMap<String, i64>> = BTreeMap::new();
    let mut minute = since;
    while minute < until {
        days.entry(minute.with_timezone(&zone).date_naive()).or_default();
        minute += TimeDelta::minutes(1);
    }
    if since < until {
        days.entry((until - TimeDelta::microseconds(1)).with_timezone(&zone).date_naive()).or_default();
    }
    for post in posts.iter().filter(|post| post.matches(viewer, &filter)) {
        let date = post.state.publish_time.unwrap().with_timezone(&zone).date_naive();
        let network = post.state.channel.social_network.as_str().to_lowercase();
        *days.get_mut(&date).unwrap().entry(network).or_default() += 1;
    }
    days.into_values().collect()
}

fn naive_counts(posts: &[NaivePost], viewer: &Viewer) -> BTreeMap<&'static str, i64> {
    let seen: Vec<_> = posts
        .iter()
        .filter(|post| viewer.channels.contains(&post.state.channel.id) && post.state.status != Status::PreDraft)
        .collect();
    let of = |status: Status| (status.as_str(), seen.iter().filter(|post| post.state.status == status).count() as i64);
    let attention = seen.iter().filter(|post| post.state.flags.needs_attention).count() as i64;
    Status::ALL
        .into_iter()
        .filter(|status| !matches!(status, Status::PreDraft | Status::Deleted))
        .map(of)
        .chain([("needsAttention", attention)])
        .collect()
}

async fn check(process: &Process, steps: &[Step], questions: &[Question]) -> Result<(), TestCaseError> {
    let world = World::new();
    let db = process.log.database().pool().clone();
    append(process, &world, steps).await;
    process.caught_up(&["posts"]).await;
    prop_assert_eq!(process.engine.quarantined(None, 0, 100).await.unwrap().streams, []);
    let posts = naive(process, world.tenant).await;
    let viewer = world.viewer();
    prop_assert_eq!(counts(&db, &viewer).await.unwrap(), naive_counts(&posts, &viewer));

    for &question in questions {
        let filter = filter(&world, question);
        let page = page(&world, &filter, question);
        let listed = list(&db, &viewer, &filter, &page).await.unwrap();
        let docs: Vec<Value> = listed.data.iter().map(|doc| serde_json::from_str(doc.get()).unwrap()).collect();
        let (count, expected) = naive_list(&posts, &viewer, &filter, &page);
        prop_assert_eq!((listed.count, docs), (count, expected), "{:?} {:?}", filter, page);

        let (since, zone) = (time_of(question.2), ZONES[question.1 as usize % ZONES.len()]);
        let until = since
            + TimeDelta::minutes(i64::from(question.3) % (5 * 1_440))
            + TimeDelta::microseconds(question.3.into());
        let days = calendar_days(&db, &viewer, &filter, since, until, zone).await.unwrap();
        prop_assert!(covers(&days, since, until), "{:?}", days);
        let found: Vec<_> = days.into_iter().map(|day| day.data).collect();
        let expected = naive_days(&posts, &viewer, &filter, (since, until), zone);
        prop_assert_eq!(found, expected, "{:?} {} {} {}", filter, since, until, zone);
    }
    Ok(())
}

/// Days follow each other without a gap, from `since` to `until`.
fn covers(days: &[DayCount], since: DateTime<Utc>, until: DateTime<Utc>) -> bool {
    let ends = days.first().is_none_or(|day| day.since == since) && days.last().is_none_or(|day| day.until == until);
    ends && days.is_empty() == (since >= until) && days.windows(2).all(|pair| pair[0].until == pair[1].since)
}

#[test]
fn every_filter_and_every_day_agree_with_the_log() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (test, process) = runtime.block_on(async {
        let test = test_database().await;
        let process = Process::start(&test.database, all()).await;
        process.engine.install().await.unwrap();
        (test, process)
    });
    let engine = process.engine.clone();
    let running = runtime.spawn(async move { engine.run(CancellationToken::new()).await });
    // A case appends for real, so a failing one is shrunk for a while, not for ever.
    let config = Config { cases: 48, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let steps = vec((0..POSTS, any::<u8>(), any::<u16>()), 20..160);
    let questions = vec(any::<Question>(), 25);
    TestRunner::new(config)
        .run(&(steps, questions), |(steps, questions)| runtime.block_on(check(&process, &steps, &questions)))
        .unwrap();

    runtime.block_on(async {
        assert_eq!(process.engine.quarantined(None, 0, 100).await.unwrap().streams, []);
        // No bucket is left behind empty, and no tally is below zero.
        let odd: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM post_calendar WHERE n <= 0) + (SELECT count(*) FROM post_counters WHERE n <= 0)",
        )
        .fetch_one(test.database.pool())
        .await
        .unwrap();
        assert_eq!(odd, 0);
        running.abort();
        tokio::time::sleep(Duration::from_millis(10)).await;
    });
}
