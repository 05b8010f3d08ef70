//! The past on the command line: `history`, `bisect` and `events`.

use std::{
    io::{BufRead, BufReader},
    sync::Arc,
};

use chrono::SecondsFormat;
use palaver_tests::Service;
use serde_json::{Value, json};

use super::{EVENTS, Story, UNKNOWN, time, types};
use crate::shared;

async fn told(name: &str) -> (Arc<Service>, Story) {
    let service = shared().await;
    let account = service.account(name).await;
    (service, Story::told(account).await)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn history_tells_states_and_changes_as_auditors_see_them() {
    let (service, story) = told("History").await;
    let post = story.post.as_str();
    let seen = story.events().await;
    let history = async |more: &[&str]| service.tool(&[&["history", "post", post], more].concat()).await;

    let steps = lines(&history(&["--json", "--diff"]).await);
    assert_eq!(types(&steps), types(&seen));
    for (step, event) in steps.iter().zip(&seen) {
        assert_eq!((&step["changes"], &step["change"]), (&event["changes"], &event["payload"]));
        assert_eq!(step["aggregateId"], post);
        let then = story.past(&format!("?at={}", event["position"])).await;
        assert_eq!(step["state"], then["state"]);
    }
    let plain = lines(&history(&["--json"]).await);
    assert!(plain.iter().all(|step| step["state"].is_object() && step.get("changes").is_none()));
    assert_eq!(lines(&history(&["--json", "--after", "4"]).await), plain[4..]);

    let edited = &seen[3];
    let at = async |how: &str, moment: &str| lines(&history(&[how, moment, "--json"]).await).remove(0);
    let then = at("--position", &edited["position"].to_string()).await;
    assert_eq!((&then["state"]["content"]["text"], &then["sequence"]), (&json!("second words"), &json!(4)));
    assert_eq!(at("--at", edited["time"].as_str().unwrap()).await["state"], then["state"]);
    assert_eq!(at("--at", "1999-01-01T00:00:00Z").await["state"], json!(null));
    let text = history(&["--position", &edited["position"].to_string()]).await;
    let moment = time(edited).to_rfc3339_opts(SecondsFormat::Millis, true);
    let head = format!("post/{post} after #4 at position {}, {moment}\n{{\n", edited["position"]);
    assert!(text.starts_with(&head) && text.contains("\"text\": \"second words\""), "{text}");
    assert_eq!(history(&["--position", "0"]).await, format!("post/{post} was not there yet\n"));

    let text = history(&["--diff"]).await;
    assert!(text.contains("\n      ~ /content/text = \"second words\", was \"first words\"\n"), "{text}");
    assert!(text.contains("      + /status = \"preDraft\"\n"), "{text}");
    let text = history(&["--diff", "--from", "#3", "--to", "#4"]).await;
    assert!(text.starts_with(&format!("post/{post} from #3 at position ")), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
    let whole = lines(&history(&["--diff", "--to", "9999-01-01T00:00:00Z", "--json"]).await).remove(0);
    assert_eq!((&whole["from"]["sequence"], &whole["changes"][0]["op"]), (&json!(0), &json!("add")));
    let from = lines(&history(&["--diff", "--from", "#5", "--json"]).await).remove(0);
    assert_eq!((&from["from"]["sequence"], &from["to"]["sequence"]), (&json!(5), &json!(EVENTS)));

    for (arguments, code, says) in [
        (&["history", "posts", post][..], 2, "there is no aggregate type `posts`"),
        (&["history", "post", UNKNOWN, "--at", "9999-01-01T00:00:00Z"], 1, "no events of post/"),
        (&["history", "post", UNKNOWN, "--diff", "--from", "1"], 1, "no events of post/"),
        (&["history", "post", post, "--at", "soon"], 2, "not a time"),
        (&["history", "post", post, "--from", "1"], 2, "--diff"),
    ] {
        let ended = service.tool_output(arguments).await;
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{arguments:?}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn bisect_names_the_event_that_first_made_it_so() {
    let (service, story) = told("Bisect").await;
    let post = story.post.as_str();
    // Back to what it was: true twice, and not in between.
    let first = json!({ "content": { "text": "first words" } });
    let draft = story.admin().draft(&story.channel, "first words").await;
    story.admin().edit(&draft, json!({ "content": { "text": "second words" } })).await;
    story.admin().edit(&draft, first).await;
    let bisect = async |id: &str, path: &str, value: &str| {
        let found = service.tool(&["bisect", "post", id, "--jsonpath", path, "--equals", value, "--json"]).await;
        lines(&found).remove(0)
    };
    let found = bisect(&draft, "$.content.text", "first words").await;
    assert_eq!((&found["sequence"], &found["eventType"]), (&json!(2), &json!("PostContentEdited")));
    assert_eq!(found["changes"][0]["path"], "/content/text");
    assert_eq!(bisect(post, "$.status", "published").await["eventType"], "PostPublished");
    assert_eq!(bisect(post, "$.publications", "1").await["eventType"], "PostPublishingStarted");
    assert_eq!(bisect(post, "$.assignee", "null").await["sequence"], 1);
    assert_eq!(bisect(post, "$.content", r#"{"text":"second words","type":"POST"}"#).await["sequence"], 4);
    assert_eq!(bisect(post, "$..text", "second words").await["sequence"], 4);

    let text =
        service.tool(&["bisect", "post", post, "--jsonpath", "$.content.text", "--equals", "second words"]).await;
    let event = &story.events().await[3];
    for part in [
        format!("post/{post} first had $.content.text equal to \"second words\" after\n#4 "),
        time(event).to_rfc3339_opts(SecondsFormat::Millis, true),
        format!("user:{}  position {}  command ", story.admin().id(), event["position"]),
        "      ~ /content/text = \"second words\", was \"first words\"\n".to_owned(),
    ] {
        assert!(text.contains(&part), "{part} in {text}");
    }
    for (id, path, value, code, says) in [
        (post, "$.status", "rejected", 1, "none of the 8 events of post/"),
        // A text is not a number.
        (post, "$.publications", "\"1\"", 1, "made $.publications equal to \"1\""),
        (UNKNOWN, "$.status", "draft", 1, "the log has no events of post/"),
        (post, "status", "draft", 2, "status is no JSONPath"),
    ] {
        let ended = service.tool_output(&["bisect", "post", id, "--jsonpath", path, "--equals", value]).await;
        assert_eq!(ended.status.code(), Some(code), "{path}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{path}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn events_are_found_by_whatever_is_known_of_them() {
    let (service, story) = told("Events").await;
    let (post, account) = (story.post.as_str(), story.account.id.to_string());
    let seen = story.events().await;
    let events =
        async |more: &[&str]| lines(&service.tool(&[&["events", "--tenant", &account, "--json"], more].concat()).await);
    let all = events(&[]).await;
    assert_eq!(all[0]["eventType"], "AccountRegistered");
    assert!(all.iter().all(|event| event["tenantId"] == json!(account)));
    assert!(all.is_sorted_by_key(|event| event["position"].as_i64().unwrap()));
    let of_post = events(&["--type", "post", "--aggregate-id", post]).await;
    assert_eq!(types(&of_post), types(&seen));
    assert_eq!(events(&["--aggregate-id", post]).await, of_post);
    assert_eq!(events(&["--type", "postGroup"]).await[0]["eventType"], "PostGroupCreated");
    let edits = events(&["--event", "PostContentEdited", "--event", "PostPublished"]).await;
    assert_eq!(types(&edits), ["PostContentEdited", "PostContentEdited", "PostPublished"]);

    let position = |at: usize| seen[at]["position"].to_string();
    let range = events(&["--type", "post", "--from", &position(1), "--to", &position(3)]).await;
    assert_eq!(range, of_post[1..=3]);
    let (since, until) = (seen[1]["time"].as_str().unwrap(), seen[3]["time"].as_str().unwrap());
    let timed = events(&["--type", "post", "--since", since, "--until", until]).await;
    assert_eq!(timed, of_post[1..=3]);
    assert_eq!(events(&["--type", "post", "--limit", "2"]).await, of_post[..2]);
    assert_eq!(events(&["--from", "9999999"]).await, Vec::<Value>::new());

    let text = service.tool(&["events", "--aggregate-id", post, "--limit", "1"]).await;
    for part in [&position(0), "PostPlanned", &format!("post/{post} #1"), &format!("user:{}", story.admin().id())] {
        assert!(text.contains(part), "{part} in {text}");
    }
    for (arguments, says) in [
        (&["events", "--type", "posts"][..], "there is no aggregate type `posts`"),
        (&["events", "--tenant", "me"], "24 lower-case hex digits"),
        (&["events", "--follow", "--to", "7"], "--to"),
    ] {
        let ended = service.tool_output(arguments).await;
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{arguments:?}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn who_follows_sees_what_comes_until_they_have_seen_enough() {
    let (service, story) = told("Follow").await;
    let post = story.post.as_str();
    let from = story.events().await.last().unwrap()["position"].to_string();
    let arguments = ["events", "--follow", "--aggregate-id", post, "--from", &from, "--json"];
    let mut following = service.start_tool(&arguments);
    let stdout = BufReader::new(following.stdout.take().unwrap());
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let reader = std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let next = async |told: &mut tokio::sync::mpsc::UnboundedReceiver<String>| -> Value {
        let line = tokio::time::timeout(std::time::Duration::from_secs(60), told.recv()).await;
        serde_json::from_str(&line.expect("an event comes").expect("it goes on")).unwrap()
    };
    assert_eq!(next(&mut told).await["eventType"], "PostPublished");
    for number in 1..=3 {
        story.comment(&format!("comment {number}")).await;
        let event = next(&mut told).await;
        assert_eq!(event["change"]["message"], format!("comment {number}"), "{event}");
    }
    let pid = rustix::process::Pid::from_child(&following);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ended = tokio::task::spawn_blocking(move || following.wait().unwrap()).await.unwrap();
    assert_eq!(ended.code(), Some(0), "Ctrl-C is no failure");
    assert!(told.recv().await.is_none(), "nothing else was told");
    reader.join().unwrap().unwrap();

    // So many and no more.
    let some = lines(&service.tool(&[&arguments[..], &["--limit", "2"]].concat()).await);
    assert_eq!(types(&some), ["PostPublished", "PostCommented"]);
}
