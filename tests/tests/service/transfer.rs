//! The log taken out, and into another one: the same bytes come out of that, and the same answers.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use chrono::{DateTime, Utc};
use palaver_eventstore::clock::{Clock, SystemClock};
use palaver_tests::{Service, ServiceOptions, dump, eventually, fresh_database, fresh_path};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::log_has_no_gaps;

fn hours_from_now(hours: i64) -> DateTime<Utc> {
    SystemClock.now() + chrono::TimeDelta::hours(hours)
}

/// A service whose log has some of everything, and stands still.
async fn filled() -> (Service, palaver_tests::Account) {
    let service = Service::up().await;
    let account = service.account("Exported").await;
    let admin = account.admin();
    let team = admin.team("Crew").await;
    let channel = admin.sandbox_of("One", &[&team]).await;
    let published = admin.draft(&channel, "Grüße 🚀 \\ \" \u{7f} </script>").await;
    admin.move_post(&published, "publish").await;
    let scheduled = admin.draft(&channel, "later").await;
    admin.schedule(&scheduled, hours_from_now(48)).await;
    for n in 0..5 {
        admin.draft(&channel, &format!("draft {n}")).await;
    }
    admin.post("/api2/contacts").json(json!({ "email": "somebody@example.org" })).await.ok();
    let comment = json!({ "message": "what\nof it?\t\u{e9}" });
    admin.post(&format!("/api2/cp/posts/{scheduled}/feed")).json(comment).await.ok();
    eventually("publication", || async { (admin.read(&published).await["status"] == "published").then_some(()) }).await;
    caught_up(&service).await;
    (service, account)
}

async fn caught_up(service: &Service) {
    eventually("read models at the end of the log", || async {
        let told = service.tool(&["projections", "--json"]).await;
        let mut all = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.all(|one| one["position"] == one["head"]).then_some(())
    })
    .await;
}

async fn export(service: &Service, name: &str, more: &[&str]) -> PathBuf {
    let file = fresh_path(name);
    let arguments = [&["export", "--output", file.to_str().unwrap()], more].concat();
    let report: Value = serde_json::from_str(&service.tool(&arguments).await).unwrap();
    assert_eq!(report["bytes"], fs::metadata(&file).unwrap().len(), "{report}");
    file
}

async fn events(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(pool).await.unwrap()
}

async fn empty() -> Service {
    ServiceOptions::new("up").on(&fresh_database().await).start().await
}

#[tokio::test]
async fn what_was_exported_and_imported_is_exported_byte_for_byte_and_answers_the_same() {
    let (mut service, account) = filled().await;
    service.stop().await;
    let pool = service.pool().await;
    let file = export(&service, "log.ndjson", &[]).await;
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count() as i64, events(&pool).await);
    assert_eq!(service.tool(&["export", "--output", "-"]).await, text);
    let kept: Vec<(i64, String)> =
        sqlx::query_as("SELECT position, payload::text FROM events ORDER BY position").fetch_all(&pool).await.unwrap();
    for ((position, payload), line) in kept.iter().zip(text.lines()) {
        assert!(line.starts_with(&format!(r#"{{"position":{position},"eventId":""#)), "{line}");
        assert!(line.contains(&format!(r#""payload":{payload},"metadata":{{"#)), "{line}");
    }

    // Into a service that runs: it follows the log as if it had been there from the first.
    let mut copy = empty().await;
    let told = copy.tool_output(&["import", file.to_str().unwrap(), "--progress"]).await;
    assert_eq!(told.status.code(), Some(0), "{}", told.stderr);
    assert!(told.stderr.contains(&format!("import: 100%, {} events", kept.len())), "{}", told.stderr);
    assert!(told.stderr.contains("Nobody has a password"), "{}", told.stderr);
    let again = export(&copy, "again.ndjson", &["--progress"]).await;
    assert!(fs::read(&again).unwrap() == text.as_bytes(), "{} and {} differ", file.display(), again.display());

    caught_up(&copy).await;
    let of_copy = copy.pool().await;
    log_has_no_gaps(&of_copy).await;
    let (ours, theirs) = (dump(&pool).await, dump(&of_copy).await);
    for (table, rows) in &ours {
        assert_eq!(rows, &theirs[table], "{table}");
    }
    service.restart().await;
    let made = copy
        .tool(&["account", "user", &account.id.to_string(), "--user", "operator@example.com", "--role", "ADMIN"])
        .await;
    let made: Value = serde_json::from_str(&made).unwrap();
    let there = copy.anonymous().with_token(made["accesstoken"].as_str().unwrap());
    eventually("the new user's token", || async { (there.get("/api2/").await.status == 200).then_some(()) }).await;
    for path in [
        "/api2/cp/posts?count=500",
        "/api2/cp/posts?status=scheduled",
        "/api2/cp/posts/counts",
        "/api2/channels",
        "/api2/contacts",
    ] {
        let (here, there) = (account.admin().get(path).await.ok().body, there.get(path).await.ok().body);
        assert_eq!(here, there, "{path}");
        assert!(here.to_string().len() > 20, "{path}: {here}");
    }
    // It is a service like any other.
    let channel = there.get("/api2/channels").await.ok().body["data"][0]["_id"].as_str().unwrap().to_owned();
    there.draft(&channel, "written there").await;
    log_has_no_gaps(&of_copy).await;
    copy.stop().await;
    service.stop().await;
}

#[tokio::test]
async fn an_import_that_is_wrong_leaves_nothing_and_names_its_line() {
    let (mut service, account) = filled().await;
    let whole = fs::read_to_string(export(&service, "log.ndjson", &[]).await).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let not_empty = service.tool_output(&["import", export(&service, "log.ndjson", &[]).await.to_str().unwrap()]).await;
    assert_eq!(not_empty.status.code(), Some(1));
    assert!(not_empty.stderr.contains("the log is not empty"), "{}", not_empty.stderr);

    let mut target = empty().await;
    let pool = target.pool().await;
    let refused = async |what: &str, text: &str, says: &str| {
        let file = fresh_path("wrong.ndjson");
        fs::write(&file, text).unwrap();
        let ended = target.tool_output(&["import", file.to_str().unwrap()]).await;
        assert_eq!(ended.status.code(), Some(1), "{what}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{what}: {}", ended.stderr);
        assert_eq!(events(&pool).await, 0, "{what}");
    };
    let changed = |at: usize, change: &dyn Fn(&mut Value)| {
        let mut lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        let mut line: Value = serde_json::from_str(&lines[at - 1]).unwrap();
        change(&mut line);
        lines[at - 1] = line.to_string();
        lines.join("\n")
    };
    let last = lines.len();
    refused("cut in a line", &whole[..whole.len() - 10], &format!("line {last}: EOF while parsing")).await;
    refused("no JSON", &changed(3, &|line| *line = json!("text")), "line 3: invalid type").await;
    refused(
        "a line is missing",
        &[&lines[..4], &lines[5..]].concat().join("\n"),
        "line 5 has position 6 where 5 is due",
    )
    .await;
    refused("a blank line", &whole.replacen('\n', "\n\n", 1), "line 2: EOF while parsing").await;
    let first: Value = serde_json::from_str(lines[0]).unwrap();
    let twice = changed(7, &|line| line["eventId"] = first["eventId"].clone());
    refused("an id twice", &twice, "line 7: the events at positions 1 and 7 have the same id").await;
    let gap = changed(last, &|line| line["sequence"] = json!(line["sequence"].as_i64().unwrap() + 1));
    refused("a gap in a stream", &gap, &format!("line {last}: the event at position {last} has sequence")).await;
    let no_payload = changed(2, &|line| drop(line.as_object_mut().unwrap().remove("payload")));
    refused("no payload", &no_payload, "line 2: missing field `payload`").await;

    // Part of a log is no log.
    let tenant = account.id.to_string();
    for filter in [&["--from", "2"][..], &["--aggregate-type", "post"], &["--event-type", "PostPlanned"]] {
        let part = fs::read_to_string(export(&service, "part.ndjson", filter).await).unwrap();
        assert!(!part.is_empty() && part.lines().all(|line| lines.contains(&line)), "{filter:?}: {part}");
        refused("a part", &part, "only a whole log can be imported").await;
    }
    let other = service.account("Another").await;
    let of_one = fs::read_to_string(export(&service, "one.ndjson", &["--tenant", &tenant]).await).unwrap();
    assert!(of_one.lines().count() > 10 && !of_one.contains(&other.id.to_string()));

    // The beginning of a log is one, also by stdin; and a line break at the end is no line.
    let begin = fs::read(export(&service, "begin.ndjson", &["--until", "9"]).await).unwrap();
    let told: Value = serde_json::from_str(&target.tool_fed(&["import", "-"], &begin).await).unwrap();
    assert_eq!(told["events"], 9);
    assert_eq!(target.tool(&["export", "--output", "-"]).await.as_bytes(), begin);
    target.stop().await;
    service.stop().await;
}

#[tokio::test]
async fn what_is_there_is_not_overwritten_and_what_is_wrong_is_said_at_once() {
    let service = Service::up().await;
    let file = fresh_path("there.ndjson");
    fs::write(&file, "mine").unwrap();
    let path = file.to_str().unwrap();
    for (arguments, code, says) in [
        (&["export", "--output", path][..], 1, "is there already; --force replaces it"),
        (&["export", "--output", "/dev/null", "--force"], 1, "is no file"),
        (&["export", "--output", "/nowhere/at/all"], 1, "can not write into /nowhere/at"),
        (&["export", "--output", "-", "--from", "5", "--until", "4"], 2, "--until is before --from"),
        (&["export", "--output", "-", "--tenant", "x"], 2, "--tenant"),
        (&["import", "/nowhere/at/all"], 1, "can not read /nowhere/at/all"),
        (&["import", "/"], 1, "can not read /"),
    ] {
        let ended = service.tool_output(arguments).await;
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{arguments:?}: {}", ended.stderr);
    }
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    // An empty log is one, and can be imported.
    service.tool(&["export", "--output", path, "--force"]).await;
    assert_eq!(fs::read(&file).unwrap(), b"");
    let told: Value = serde_json::from_str(&service.tool(&["import", path]).await).unwrap();
    assert_eq!(told["events"], 0);
}

/// Where pyarrow lies: `scripts/test` says, or has left it in the project.
fn pyarrow() -> PathBuf {
    if let Some(place) = env::var_os("PALAVER_PYARROW") {
        return place.into();
    }
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/pyarrow");
    let found = fs::read_dir(&tools).map(|found| found.flatten().map(|one| one.path()).collect());
    let mut versions: Vec<_> = found.unwrap_or_default();
    versions.sort();
    versions.pop().unwrap_or_else(|| panic!("there is no pyarrow in {}; scripts/test fetches it", tools.display()))
}

/// What pyarrow says of a file, and its rows.
fn read_by_pyarrow(file: &Path) -> (Value, Vec<Value>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/read_parquet.py");
    let read = Command::new("python3").arg(script).arg(file).env("PYTHONPATH", pyarrow()).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let text = String::from_utf8(read.stdout).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (lines.next().unwrap(), lines.collect())
}

#[tokio::test]
async fn parquet_holds_the_same_rows_for_a_reader_that_is_not_ours() {
    let (mut service, _) = filled().await;
    service.stop().await;
    for filter in [&[][..], &["--aggregate-type", "post", "--aggregate-type", "channel", "--from", "3"]] {
        let lines = fs::read_to_string(export(&service, "log.ndjson", filter).await).unwrap();
        let file = export(&service, "log.parquet", &[&["--format", "parquet"], filter].concat()).await;
        let (what, rows) = read_by_pyarrow(&file);
        assert_eq!(what["rows"], rows.len(), "{what}");
        assert_eq!((&what["groups"], &what["codecs"]), (&json!(1), &json!(["SNAPPY"])), "{what}");
        let types = &what["types"];
        assert_eq!((&types["position"], &types["sequence"]), (&json!("int64"), &json!("int64")), "{what}");
        assert_eq!(
            (&types["recordedAt"], &types["payload"]),
            (&json!("timestamp[us, tz=UTC]"), &json!("string")),
            "{what}"
        );
        let uuid = types["eventId"].as_str().unwrap();
        assert!(uuid == "extension<arrow.uuid>" || uuid == "fixed_size_binary[16]", "{what}");

        assert_eq!(rows.len(), lines.lines().count());
        assert!(rows.len() > 10, "{filter:?}");
        for (row, line) in rows.iter().zip(lines.lines()) {
            let fields: BTreeMap<&str, &serde_json::value::RawValue> = serde_json::from_str(line).unwrap();
            assert_eq!(row.as_object().unwrap().len(), fields.len());
            for (name, raw) in fields {
                // Payload and metadata are text there, byte for byte.
                let expected = match name {
                    "payload" | "metadata" => json!(raw.get()),
                    _ => serde_json::from_str(raw.get()).unwrap(),
                };
                assert_eq!(row[name], expected, "{name} of {line}");
            }
        }
    }
    let empty = export(&service, "none.parquet", &["--format", "parquet", "--event-type", "NothingHappened"]).await;
    let (what, rows) = read_by_pyarrow(&empty);
    assert_eq!((&what["rows"], rows.len()), (&json!(0), 0));
}
