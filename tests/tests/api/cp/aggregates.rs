//! `/api2/cp/posts/aggregates/day` and `/day/list`: posts by local day, on days that the clock makes longer or shorter.

use serde_json::{Value, json};

use super::posts::Known;
use crate::shared;

const DAY: &str = "/api2/cp/posts/aggregates/day";

fn day(since: &str, until: &str, data: Value) -> Value {
    json!({ "since": since, "until": until, "data": data })
}

#[tokio::test]
async fn days_are_those_of_the_zone_and_their_posts_those_of_the_filter() {
    let service = shared().await;
    let known = Known::make(service.account("Days").await).await;
    let admin = known.admin();
    // From 30 March 2031 on, Berlin's day begins an hour earlier: the day itself has 23 hours.
    let (since, until) = ("2031-03-28T23:00:00Z", "2031-03-31T22:00:00Z");
    let berlin = json!([
        day("2031-03-28T23:00:00.000Z", "2031-03-29T23:00:00.000Z", json!({})),
        day("2031-03-29T23:00:00.000Z", "2031-03-30T22:00:00.000Z", json!({ "facebook": 1, "twitter": 1 })),
        day("2031-03-30T22:00:00.000Z", "2031-03-31T22:00:00.000Z", json!({ "facebook": 1 })),
    ]);
    let range = json!({ "since": since, "until": until });
    assert_eq!(admin.post(DAY).json(range.clone()).await.ok().body, berlin, "Berlin is the default");
    let query = format!("{DAY}/list?since={since}&until={until}");
    assert_eq!(admin.post(&query).json(json!({})).await.ok().body, berlin);
    assert_eq!(admin.post(&format!("{query}&tz=Europe/Berlin")).json(json!({})).await.ok().body, berlin);

    // Elsewhere the same moments are other days, and the first and last are cut to the range.
    let auckland = admin.post(&format!("{query}&tz=Pacific%2FAuckland")).json(json!({})).await.ok().body;
    assert_eq!(
        auckland,
        json!([
            day("2031-03-28T23:00:00.000Z", "2031-03-29T11:00:00.000Z", json!({})),
            day("2031-03-29T11:00:00.000Z", "2031-03-30T11:00:00.000Z", json!({ "facebook": 1 })),
            day("2031-03-30T11:00:00.000Z", "2031-03-31T11:00:00.000Z", json!({ "facebook": 1, "twitter": 1 })),
            day("2031-03-31T11:00:00.000Z", "2031-03-31T22:00:00.000Z", json!({})),
        ])
    );

    let (facebook, twitter, nobody) =
        (&known.channels["facebook"], &known.channels["twitter"], "0123456789abcdef01234567");
    for (filter, totals) in [
        (json!({ "channelIds": [facebook] }), (2, 0)),
        (json!({ "channelIds": [twitter, nobody] }), (0, 1)),
        (json!({ "assignees": [nobody] }), (0, 0)),
        (json!({ "tags": [nobody] }), (0, 0)),
        (json!({ "status": ["scheduled"] }), (1, 1)),
        (json!({ "status": "scheduled,needsApproval" }), (2, 1)),
        (json!({ "type": ["POST"] }), (2, 1)),
        (json!({ "type": ["STORY"] }), (0, 0)),
        (json!({ "needsAttention": true }), (0, 0)),
        (json!({ "needsAttention": false, "viaPublisherApp": false, "imported": false }), (2, 1)),
        (json!({ "imported": true }), (0, 0)),
    ] {
        let mut body = range.clone();
        body.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        let days = admin.post(DAY).json(body).await.ok().body;
        assert_eq!(sums(&days), totals, "{filter}");
    }
    for (filter, totals) in [
        (json!({ "channelIds": [facebook] }), (2, 0)),
        (json!({ "teamIds": [nobody] }), (0, 0)),
        (json!({ "tags": [nobody] }), (0, 0)),
    ] {
        let days = admin.post(&query).json(filter.clone()).await.ok().body;
        assert_eq!(sums(&days), totals, "{filter}");
    }

    // A moved post leaves the one day and comes to the other.
    admin.edit(&known.posts["e"], json!({ "publishTime": "2031-03-29T22:59:59.999Z" })).await;
    let moved = admin.post(DAY).json(range).await.ok().body;
    assert_eq!((&moved[0]["data"], &moved[2]["data"]), (&json!({ "facebook": 1 }), &json!({})));

    // As long as may be; and nothing at all.
    let long = json!({ "since": "2031-01-01T00:00:00Z", "until": "2032-02-05T00:00:00Z", "tz": "UTC" });
    assert_eq!(admin.post(DAY).json(long).await.ok().body.as_array().unwrap().len(), 400);
    let empty = json!({ "since": since, "until": since });
    assert_eq!(admin.post(DAY).json(empty).await.ok().body, json!([]));
}

/// Facebook's and Twitter's posts of all days.
fn sums(days: &Value) -> (i64, i64) {
    let sum = |network: &str| days.as_array().unwrap().iter().filter_map(|day| day["data"][network].as_i64()).sum();
    (sum("facebook"), sum("twitter"))
}

#[tokio::test]
async fn teams_choose_the_channels_whose_posts_are_counted() {
    let service = shared().await;
    let account = service.account("Team days").await;
    let admin = account.admin();
    let (ours, theirs) = (&admin.team("Ours").await, &admin.team("Theirs").await);
    for team in [ours, theirs, theirs] {
        let channel = admin.sandbox_of(team, &[team]).await;
        let post = admin.draft(&channel, "a text").await;
        admin.edit(&post, json!({ "publishTime": "2031-05-05T10:00:00Z" })).await;
    }
    let path = format!("{DAY}/list?since=2031-05-05T00:00:00Z&until=2031-05-06T00:00:00Z&tz=UTC");
    for (teams, count) in [(json!([ours]), 1), (json!([theirs]), 2), (json!([ours, theirs]), 3), (json!([]), 3)] {
        let days = admin.post(&path).json(json!({ "teamIds": teams })).await.ok().body;
        assert_eq!(days[0]["data"]["facebook"], count, "{teams}");
    }
}
