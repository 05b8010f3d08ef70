//! The smaller read models: feed, schedule, channels, users, teams, contacts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "all of this is test code")]

mod support;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::Aggregate;
use palaver_domain::{
    AccountId, Actor, ChannelId, ContactId, FeedItemId, PostId, TeamId, UserId,
    channels::{Channel, ChannelEvent, Connection, Network},
    identity::{
        Contact, ContactEvent, Details, Locale, Permission, Permissions, Role, Team, TeamEvent, User, UserCreated,
        UserEvent,
    },
    posts::{ChannelRef, FailureReason, Post, PostEvent},
};
use palaver_eventstore::StreamId;
use palaver_projections::{
    all,
    channels::{self, ChannelFilter, ChannelSort, ChannelStatus, Product, Teams},
    contacts,
    post_feed::feed,
    posts::Order,
    publish_schedule::{take_due, take_unresolved},
    teams,
    users::{self, UserFilter},
};
use serde_json::{Value, json, value::RawValue};
use support::{Process, TestDatabase, encode, object_id, test_database};
use tokio_util::sync::CancellationToken;

const ALL: &[&str] = &["accounts", "channels", "contacts", "post_feed", "posts", "publish_schedule", "teams", "users"];

struct Bench {
    _test: TestDatabase,
    process: Process,
    tenant: AccountId,
    user: UserId,
}

impl Bench {
    async fn new() -> Self {
        let test = test_database().await;
        let process = Process::start(&test.database, all()).await;
        process.engine.install().await.unwrap();
        let engine = process.engine.clone();
        tokio::spawn(async move { engine.run(CancellationToken::new()).await });
        let (tenant, user) = (AccountId::from_bytes(object_id()), UserId::from_bytes(object_id()));
        Self { _test: test, process, tenant, user }
    }

    fn db(&self) -> &sqlx::PgPool {
        self.process.log.database().pool()
    }

    /// Appends events that were decided a minute apart, from `at` on.
    async fn append<A: Aggregate>(&self, id: impl std::fmt::Display, after: i64, at: &str, events: &[A::Event]) {
        let minute = |n: usize| time(at) + TimeDelta::minutes(n as i64);
        let events = events.iter().enumerate().map(|(n, event)| encode(event, Actor::User(self.user), minute(n)));
        self.process.append(self.tenant, &StreamId::of::<A>(id), after, events.collect()).await;
        self.process.caught_up(ALL).await;
    }

    /// The bench's user comes to be, in these teams.
    async fn joined(&self, team_ids: Vec<TeamId>) {
        let created = UserEvent::Created(Box::new(UserCreated {
            id: self.user,
            account_id: self.tenant,
            user_name: "Grüße@Example.com".to_owned(),
            email: None,
            first_name: "Ann".to_owned(),
            last_name: "Example".to_owned(),
            phone: None,
            locale: Locale::De,
            role: Role::Smm,
            permissions: None,
            team_ids,
            verified: true,
        }));
        self.append::<User>(self.user, 0, "2026-04-01T08:00:00Z", &[created]).await;
    }

    async fn feed(&self, tenant: AccountId, post: PostId, offset: i64, count: i64) -> Option<(i64, Vec<Value>)> {
        let page = feed(self.db(), tenant, post, offset, count).await.unwrap()?;
        Some((page.count, values(page.data)))
    }
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn values(docs: Vec<Box<RawValue>>) -> Vec<Value> {
    docs.iter().map(|doc| serde_json::from_str(doc.get()).unwrap()).collect()
}

fn planned(bench: &Bench, id: PostId, channel: ChannelId) -> PostEvent {
    PostEvent::Planned {
        id,
        account_id: bench.tenant,
        group_id: Default::default(),
        channel: ChannelRef { id: channel, unique_name: "@acme".to_owned(), social_network: Network::Twitter },
        author: bench.user,
        publish_time: None,
        publish_time_zone: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_tells_what_happened_and_what_was_said() {
    let bench = Bench::new().await;
    let (post, channel) = (PostId::from_bytes(object_id()), ChannelId::from_bytes(object_id()));
    let (said, why) = (FeedItemId::from_bytes(object_id()), FeedItemId::from_bytes(object_id()));
    let publish_time = time("2026-05-01T10:00:00Z");
    let events = [
        planned(&bench, post, channel),
        PostEvent::SavedAsDraft,
        PostEvent::Suggested { by: Some(bench.user) },
        PostEvent::Commented { item_id: said, message: "look".to_owned(), mentions: vec![bench.user] },
        PostEvent::Rejected { message: Some("not yet".to_owned()), item_id: why },
        PostEvent::Assigned { assignee: Some(bench.user) },
        PostEvent::Suggested { by: None },
        PostEvent::Approved { publish_time },
        PostEvent::PublishingStarted { publication: 1, key: "k".to_owned() },
        PostEvent::PublishingFailed { reason: FailureReason::MissingPermission, error: "no\0pe".to_owned() },
    ];
    bench.append::<Post>(post, 0, "2026-04-01T08:00:00Z", &events).await;

    let (count, items) = bench.feed(bench.tenant, post, 0, 100).await.unwrap();
    let told: Vec<_> = items.iter().map(|item| item.get("key").or(item.get("message")).unwrap().clone()).collect();
    let expected = [
        "failedToPublishMissingPermission",
        "approved",
        "suggested",
        "assigned",
        "not yet",
        "rejected",
        "look",
        "suggested",
        "saved as draft",
        "created",
    ];
    assert_eq!((count, told), (10, expected.map(|told| json!(told)).to_vec()));
    let comment = json!({
        "_id": said, "accountId": bench.tenant, "channelId": channel, "postId": post, "type": "COMMENT",
        "message": "look", "userId": bench.user, "data": { "mentions": [bench.user] },
        "createdTime": "2026-04-01T08:03:00.000Z",
    });
    assert_eq!(items[6], comment);
    assert_eq!(items[4]["_id"], json!(why));
    assert_eq!(items[0]["data"], json!({ "err": "no\0pe" }));
    assert_eq!(items[1]["data"], json!({ "publishTime": "2026-05-01T10:00:00.000Z" }));
    assert!(items.iter().filter(|item| item["type"] != "COMMENT").all(|item| item.get("userId").is_none()));

    assert_eq!(bench.feed(bench.tenant, post, 3, 2).await.unwrap(), (10, items[3..5].to_vec()));
    assert_eq!(bench.feed(bench.tenant, post, 50, 2).await.unwrap(), (10, vec![]));
    assert_eq!(bench.feed(AccountId::from_bytes(object_id()), post, 0, 100).await, None, "another account's");

    // Items keep their ids through a rebuild, and go with their post.
    bench.process.engine.rebuild("post_feed", &CancellationToken::new()).await.unwrap();
    assert_eq!(bench.feed(bench.tenant, post, 0, 100).await.unwrap(), (10, items));
    bench.append::<Post>(post, 10, "2026-04-02T08:00:00Z", &[PostEvent::Deleted]).await;
    assert_eq!(bench.feed(bench.tenant, post, 0, 100).await, None);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM post_feed").fetch_one(bench.db()).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn due_posts_are_taken_once_until_the_lease_is_over() {
    let bench = Bench::new().await;
    let (minute, now) = (Duration::from_secs(60), time("2026-05-01T10:00:00Z"));
    let mut posts = Vec::new();
    for n in 0..5 {
        let post = PostId::from_bytes(object_id());
        let publish_time = now - TimeDelta::minutes(3 - n);
        let events = [planned(&bench, post, ChannelId::default()), PostEvent::Scheduled { publish_time }];
        bench.append::<Post>(post, 0, "2026-04-01T08:00:00Z", &events).await;
        posts.push(post);
    }
    let db = bench.db();
    let ids = |taken: Vec<palaver_projections::publish_schedule::Due>| -> Vec<PostId> {
        taken.into_iter().map(|due| due.post_id).collect()
    };
    assert_eq!(ids(take_due(db, now, 2, minute).await.unwrap()), posts[0..2]);
    assert_eq!(ids(take_due(db, now, 10, minute).await.unwrap()), posts[2..4], "what is taken is not taken again");
    assert_eq!(ids(take_due(db, now, 10, minute).await.unwrap()), []);
    let later = now + TimeDelta::minutes(1);
    assert_eq!(ids(take_due(db, later, 10, minute).await.unwrap()), posts, "leases are over, and the last is due");

    // An open publication waits for its outcome, and is asked for when it has had its time.
    let started = [PostEvent::PublishingStarted { publication: 1, key: "first".to_owned() }];
    bench.append::<Post>(posts[0], 2, "2026-05-01T10:00:00Z", &started).await;
    let settle = Duration::from_secs(30);
    let early = take_unresolved(db, now + TimeDelta::seconds(29), settle, 10, minute).await.unwrap();
    assert_eq!(early, []);
    let open = take_unresolved(db, now + TimeDelta::seconds(30), settle, 10, minute).await.unwrap();
    assert_eq!((open.len(), open[0].post_id, open[0].key.as_str()), (1, posts[0], "first"));
    assert!(!open[0].outcome_unknown && open[0].started_at == now && open[0].tenant_id == bench.tenant);
    assert_eq!(take_unresolved(db, now + TimeDelta::seconds(40), settle, 10, minute).await.unwrap(), []);
    let unknown = [PostEvent::PublishingOutcomeUnknown { key: "first".to_owned(), error: "silence".to_owned() }];
    bench.append::<Post>(posts[0], 3, "2026-05-01T10:00:40Z", &unknown).await;
    let open = take_unresolved(db, now + TimeDelta::seconds(41), settle, 10, minute).await.unwrap();
    assert!(open[0].outcome_unknown, "news frees the row");
    let resumed = [PostEvent::PublishingResumed { key: "first".to_owned(), call: 2 }];
    bench.append::<Post>(posts[0], 4, "2026-05-01T10:01:00Z", &resumed).await;
    assert_eq!(take_unresolved(db, now + TimeDelta::seconds(89), settle, 10, minute).await.unwrap(), []);
    let open = take_unresolved(db, now + TimeDelta::seconds(90), settle, 10, minute).await.unwrap();
    assert_eq!((open[0].key.as_str(), open[0].outcome_unknown), ("first", false));

    // Outcomes, and changes of mind, end it.
    let key = "first".to_owned();
    let published = [PostEvent::Published { key, network_item_id: None, network_url: None }];
    bench.append::<Post>(posts[0], 5, "2026-05-01T10:02:00Z", &published).await;
    bench.append::<Post>(posts[1], 2, "2026-05-01T10:01:00Z", &[PostEvent::Unscheduled]).await;
    let moved =
        [PostEvent::PublishTimeSet { publish_time: Some(time("2027-01-01T00:00:00Z")), publish_time_zone: None }];
    bench.append::<Post>(posts[2], 2, "2026-05-01T10:01:00Z", &moved).await;
    bench.process.engine.rebuild("publish_schedule", &CancellationToken::new()).await.unwrap();
    let rest = ids(take_due(db, time("2026-06-01T00:00:00Z"), 10, minute).await.unwrap());
    assert_eq!(rest, posts[3..5]);
    assert_eq!(
        ids(take_due(db, time("2027-06-01T00:00:00Z"), 10, minute).await.unwrap()),
        [posts[3], posts[4], posts[2]]
    );

    // Any number of workers: each row goes to one.
    let mut takers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let db = db.clone();
        takers.spawn(async move { take_due(&db, time("2028-01-01T00:00:00Z"), 1, minute).await.unwrap().len() });
    }
    assert_eq!(takers.join_all().await.into_iter().sum::<usize>(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_listed_by_every_filter() {
    let bench = Bench::new().await;
    let teams: Vec<TeamId> = (0..2).map(|_| TeamId::from_bytes(object_id())).collect();
    let mut ids = Vec::new();
    for (n, (name, network, team_ids)) in [
        ("Beta", Network::Facebook, vec![teams[0]]),
        ("alpha", Network::Twitter, vec![teams[1]]),
        ("Ärger", Network::Placeholders, vec![]),
        ("Gamma 100%", Network::Twitter, teams.clone()),
    ]
    .into_iter()
    .enumerate()
    {
        let id = ChannelId::from_bytes(object_id());
        let connected = ChannelEvent::Connected {
            id,
            account_id: bench.tenant,
            network,
            connection: Connection::Sandbox,
            name: name.to_owned(),
            unique_name: format!("@{name}"),
            image_url: (n == 0).then(|| "https://sandbox.example/beta.png".to_owned()),
            team_ids,
        };
        bench.append::<Channel>(id, 0, &format!("2026-04-01T08:0{n}:00Z"), &[connected]).await;
        ids.push(id);
    }
    bench.append::<Channel>(ids[1], 1, "2026-04-02T08:00:00Z", &[ChannelEvent::Deactivated]).await;

    bench.joined(vec![teams[1]]).await;
    let bench = &bench;
    let db = bench.db();
    let none = ChannelFilter::default();
    let names = |docs: Vec<Box<RawValue>>| -> Vec<String> {
        values(docs).iter().map(|doc| doc["name"].as_str().unwrap().chars().take(1).collect()).collect()
    };
    for (filter, expected) in [
        (none.clone(), "BaÄG"),
        (ChannelFilter { search: Some("ÄRG".to_owned()), ..none.clone() }, "Ä"),
        (ChannelFilter { search: Some("0%".to_owned()), ..none.clone() }, "G"),
        (ChannelFilter { search: Some("@a".to_owned()), ..none.clone() }, "a"),
        (ChannelFilter { search: Some("\0".to_owned()), ..none.clone() }, ""),
        (ChannelFilter { networks: vec![Network::Twitter, Network::Facebook], ..none.clone() }, "BaG"),
        (ChannelFilter { excluded_networks: vec![Network::Twitter], ..none.clone() }, "BÄ"),
        (ChannelFilter { status: Some(ChannelStatus::Active), ..none.clone() }, "BÄG"),
        (ChannelFilter { status: Some(ChannelStatus::Disabled), ..none.clone() }, "a"),
        (ChannelFilter { status: Some(ChannelStatus::NeedsAttention), ..none.clone() }, "a"),
        (ChannelFilter { status: Some(ChannelStatus::Expired), ..none.clone() }, ""),
        (ChannelFilter { active_only: true, ..none.clone() }, "BÄG"),
        (ChannelFilter { teams: vec![teams[0]], ..none.clone() }, "BG"),
        (ChannelFilter { visible: Teams::Of(bench.user), ..none.clone() }, "aÄG"),
        (ChannelFilter { visible: Teams::Of(UserId::from_bytes(object_id())), ..none.clone() }, "Ä"),
        (ChannelFilter { product: Some(Product::Cp), ..none.clone() }, "BaÄG"),
        (ChannelFilter { product: Some(Product::Inbox), ..none.clone() }, ""),
    ] {
        let sort = (ChannelSort::CreatedTime, Order::Ascending);
        let listed = channels::list(db, bench.tenant, &filter, sort, (0, 10)).await.unwrap();
        assert_eq!(
            (listed.count as usize, names(listed.data).concat()),
            (expected.chars().count(), expected.to_owned()),
            "{filter:?}"
        );
        let summary = channels::summary(db, bench.tenant, &filter).await.unwrap();
        assert_eq!(names(summary).concat(), expected, "{filter:?}");
    }
    for (sort, order, page, expected) in [
        (ChannelSort::Name, Order::Ascending, (0, 10), "aBGÄ"),
        (ChannelSort::Name, Order::Descending, (1, 2), "GB"),
        (ChannelSort::CreatedTime, Order::Descending, (0, 10), "GÄaB"),
        (ChannelSort::Network, Order::Ascending, (0, 2), "BÄ"),
    ] {
        let listed = channels::list(db, bench.tenant, &none, (sort, order), page).await.unwrap();
        assert_eq!((listed.count, names(listed.data).concat()), (4, expected.to_owned()), "{sort:?} {order:?}");
    }
    let listed = channels::list(db, bench.tenant, &none, Default::default(), (3, 1)).await.unwrap();
    let beta = json!({
        "_id": ids[0], "name": "Beta", "uniqueName": "@Beta", "socialNetwork": "FACEBOOK",
        "imageUrl": "https://sandbox.example/beta.png", "products": { "cp": true, "inbox": false },
    });
    assert_eq!(values(listed.data), [beta]);

    let mut expected: Vec<_> = ids.iter().enumerate().map(|(n, id)| (*id, n != 1)).collect();
    expected.sort();
    assert_eq!(channels::visible(db, bench.tenant, &Teams::All).await.unwrap(), expected);
    let visible =
        |user: UserId| async move { channels::visible(bench.db(), bench.tenant, &Teams::Of(user)).await.unwrap() };
    let seen = visible(bench.user).await;
    assert!(seen.len() == 3 && seen.contains(&(ids[1], false)) && seen.contains(&(ids[3], true)));
    assert!(seen.contains(&(ids[2], true)), "no team has claimed it");
    // What somebody sees follows their teams, and the channels' teams.
    let left = UserEvent::TeamsChanged { team_ids: vec![teams[0]] };
    bench.append::<User>(bench.user, 1, "2026-04-03T08:00:00Z", &[left]).await;
    assert_eq!(visible(bench.user).await.iter().filter(|(id, _)| [ids[0], ids[2], ids[3]].contains(id)).count(), 3);
    let moved = ChannelEvent::TeamsChanged { team_ids: vec![teams[1]] };
    bench.append::<Channel>(ids[0], 1, "2026-04-03T09:00:00Z", &[moved]).await;
    assert_eq!(visible(bench.user).await.len(), 2);
    let nobody = UserId::from_bytes(object_id());
    assert_eq!(visible(nobody).await, [(ids[2], true)]);
    let stranger = AccountId::from_bytes(object_id());
    assert_eq!(channels::visible(db, stranger, &Teams::All).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_known_with_role_and_teams() {
    let bench = Bench::new().await;
    let team_ids = vec![TeamId::from_bytes(object_id()), TeamId::from_bytes(object_id())];
    bench.joined(team_ids.clone()).await;
    let known: Vec<(String, String, String, String, Vec<String>)> =
        sqlx::query_as("SELECT id, tenant_id, user_name, role, team_ids FROM users")
            .fetch_all(bench.db())
            .await
            .unwrap();
    let teams = team_ids.iter().map(ToString::to_string).collect();
    let (id, tenant, name) = (bench.user.to_string(), bench.tenant.to_string(), "Grüße@Example.com".to_owned());
    assert_eq!(known, [(id, tenant, name, "SMM".to_owned(), teams)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_looks_as_their_events_say_and_is_gone_when_deleted() {
    let bench = Bench::new().await;
    let team = TeamId::from_bytes(object_id());
    bench.joined(vec![team]).await;
    let permissions = Permissions::of(&[Permission::ViewPosts]);
    let changes = [
        UserEvent::DetailsChanged(Details { email: Some("ann@example.com".to_owned()), ..Details::default() }),
        UserEvent::PermissionsChosen { permissions },
        UserEvent::TotpEnabled { secret_ref: "secret-canary".to_owned() },
        UserEvent::MobileDeviceRegistered { device_id: "phone".to_owned(), token_ref: "token-canary".to_owned() },
    ];
    bench.append::<User>(bench.user, 1, "2026-04-02T08:00:00Z", &changes).await;
    let db = bench.db();
    let all = UserFilter::default();
    let [doc] = values(users::list(db, bench.tenant, &all).await.unwrap()).try_into().unwrap();
    let expected = json!({
        "_id": bench.user, "accountId": bench.tenant, "userName": "Grüße@Example.com", "email": "ann@example.com",
        "firstName": doc["firstName"], "lastName": doc["lastName"], "locale": doc["locale"], "role": "CUSTOM",
        "permissions": ["ViewPosts"], "teams": [team], "readOnlyChannelIds": [], "settings": {},
        "createdTime": doc["createdTime"], "updatedTime": "2026-04-02T08:03:00.000Z", "verified": true,
        "twoFactor": true,
    });
    assert_eq!(doc, expected);
    let found = |filter: UserFilter| async move { users::list(db, bench.tenant, &filter).await.unwrap().len() };
    let of = |teams: Vec<TeamId>, myself| UserFilter { teams: Some(teams), myself, ..UserFilter::default() };
    assert_eq!(found(of(vec![team], None)).await, 1);
    assert_eq!(found(of(vec![], None)).await, 0);
    assert_eq!(found(of(vec![], Some(bench.user))).await, 1);
    assert_eq!(found(UserFilter { has_mobile_device: Some(false), ..UserFilter::default() }).await, 0);
    assert_eq!(users::count(db, bench.tenant).await.unwrap(), 1);
    assert_eq!(users::administrators(db, bench.tenant, 10).await.unwrap(), []);

    bench.append::<User>(bench.user, 5, "2026-04-03T08:00:00Z", &[UserEvent::Deleted]).await;
    assert_eq!((users::count(db, bench.tenant).await.unwrap(), found(UserFilter::default()).await), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn teams_are_listed_with_their_members() {
    let bench = Bench::new().await;
    let (one, two) = (TeamId::from_bytes(object_id()), TeamId::from_bytes(object_id()));
    let created = |id: TeamId, name: &str| TeamEvent::Created { id, account_id: bench.tenant, name: name.to_owned() };
    bench.append::<Team>(two, 0, "2026-04-01T08:00:00Z", &[created(two, "b")]).await;
    let named = [
        created(one, "c"),
        TeamEvent::MembersAdmitted { users: vec![bench.user], channels: vec![] },
        TeamEvent::AdminsChanged { admins: vec![bench.user] },
        TeamEvent::Renamed { name: "A".to_owned() },
    ];
    bench.append::<Team>(one, 0, "2026-04-01T09:00:00Z", &named).await;
    bench.joined(vec![one]).await;
    let db = bench.db();
    let team = |id: TeamId, name: &str, at: &str, users: &[UserId]| teams::Team {
        id,
        name: name.to_owned(),
        admins: users.to_vec(),
        created: time(at),
        members: teams::Members { users: users.to_vec(), channels: vec![] },
    };
    let (first, second) =
        (team(two, "b", "2026-04-01T08:00:00Z", &[]), team(one, "A", "2026-04-01T09:00:00Z", &[bench.user]));
    assert_eq!(teams::list(db, bench.tenant).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(teams::members(db, bench.tenant, one, 10).await.unwrap(), second.members);
    assert_eq!(teams::members(db, bench.tenant, one, 0).await.unwrap(), teams::Members::default());
    let names = |teams: Vec<(TeamId, String)>| teams.into_iter().map(|team| team.1).collect::<Vec<_>>();
    assert_eq!(names(teams::summary(db, bench.tenant, None).await.unwrap()), ["A", "b"]);
    assert_eq!(names(teams::summary(db, bench.tenant, Some(bench.user)).await.unwrap()), ["A"]);
    let stranger = AccountId::from_bytes(object_id());
    assert_eq!(teams::list(db, stranger).await.unwrap(), []);
    assert_eq!(teams::members(db, stranger, one, 10).await.unwrap(), teams::Members::default());
    assert_eq!(teams::summary(db, stranger, Some(bench.user)).await.unwrap(), []);

    bench.append::<Team>(one, 4, "2026-04-02T08:00:00Z", &[TeamEvent::Deleted]).await;
    assert_eq!(teams::list(db, bench.tenant).await.unwrap(), [first]);
    assert_eq!(names(teams::summary(db, bench.tenant, Some(bench.user)).await.unwrap()), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_are_listed_in_the_order_they_were_made() {
    let bench = Bench::new().await;
    let mut made = Vec::new();
    for (n, email) in ["cleo@example.com", "ann@example.com", "bob@example.com"].into_iter().enumerate() {
        let id = ContactId::from_bytes(object_id());
        let created = ContactEvent::Created { id, account_id: bench.tenant, email: email.to_owned() };
        bench.append::<Contact>(id, 0, &format!("2026-04-01T08:0{n}:00Z"), &[created]).await;
        made.push(contacts::Contact { id, email: email.to_owned() });
    }
    let db = bench.db();
    assert_eq!(contacts::list(db, bench.tenant, (0, 10)).await.unwrap(), made);
    assert_eq!(contacts::list(db, bench.tenant, (1, 1)).await.unwrap(), made[1..2]);
    assert_eq!(contacts::list(db, AccountId::from_bytes(object_id()), (0, 10)).await.unwrap(), []);
    bench.append::<Contact>(made[0].id, 1, "2026-04-02T08:00:00Z", &[ContactEvent::Deleted]).await;
    assert_eq!(contacts::list(db, bench.tenant, (0, 10)).await.unwrap(), made[1..]);
}
