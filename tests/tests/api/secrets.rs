//! Secrets go in by every way there is, and stay in: no event, no table, no line of the log and no answer holds one, but
//! the answer that is there to tell it.

mod course;
mod traces;

use palaver_domain::identity::Role;
use palaver_tests::{Answer, MASTER_KEY, ServiceOptions, SmtpServer, cells, eventually};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use totp_rs::Secret;

use crate::users::totp::{App, demand_second_factors, half_a_minute_passes};
use course::{Course, session};
use traces::Traces;

/// Passwords, one for each way in. They differ in the part that tells them; their signs look different in a URL.
fn password(way: &str) -> String {
    format!("Küken+{way}/Geheim 1")
}

fn at(pointer: &'static str) -> impl Fn(&Answer) -> Vec<String> {
    move |answer| vec![answer.body.pointer(pointer).and_then(Value::as_str).expect("a secret").to_owned()]
}

fn somebody(name: &str) -> Value {
    json!({ "userName": name, "role": "ADMIN", "firstName": "Ann", "lastName": "Example", "email": name, "locale": "en" })
}

fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    body[field] = value.into();
    body
}

/// Users who are made, changed and let in with passwords.
async fn passwords(course: &mut Course) {
    let (made, wrong, weak, changed) =
        (password("made"), password("wrong"), "Schwach7".to_owned(), password("changed"));
    let (old, refused) = (password("old-and-wrong"), password("refused"));
    let number = 918_273_645_546_372_u64;
    for text in [&made, &wrong, &weak, &changed, &old, &refused] {
        course.traces.password(text);
    }
    course.traces.password(&number.to_string());
    let admin = course.account.admin().clone();
    let anonymous = course.anonymous.clone();
    let name = "canary@example.com";

    let create = |body: Value| admin.post("/api2/users").json(body).key("made");
    let user = course.ask("create a user", create(with(somebody(name), "password", &*made))).await.ok().id();
    assert!(course.ask("the same again", create(with(somebody(name), "password", &*made))).await.ok().replayed());
    course
        .ask("the key for another", create(with(somebody(name), "password", &*refused)))
        .await
        .is(422, "IdempotencyKeyReusedError");
    for (why, body) in [
        ("weak", with(somebody("weak@example.com"), "password", &*weak)),
        ("taken", with(somebody(name), "password", &*refused)),
        ("a number", with(somebody("number@example.com"), "password", number)),
        ("a list", with(somebody("list@example.com"), "password", json!([refused]))),
        ("elsewhere", with(somebody("else@example.com"), "teams", &*refused)),
    ] {
        let answer = course.ask(why, admin.post("/api2/users").json(body)).await;
        assert!((400..500).contains(&answer.status), "{why}: {}", answer.body);
    }
    course.log_in(name, &made).await;
    let login = |path: &str, body: Value| anonymous.post(path).json(body);
    let body = |password: Value| json!({ "username": name, "password": password });
    for (asked, path, body) in [
        ("a wrong password", "/api2/users/login", body(json!(wrong))),
        ("a number for a password", "/api2/users/login", body(json!(number))),
        ("a password for a name", "/api2/users/login", json!({ "username": [wrong], "password": wrong })),
        ("a password alone", "/api2/users/login", json!(wrong)),
        ("no name", "/api2/users/login", json!({ "password": wrong })),
        ("a wrong route", "/api2/users/log-in", body(json!(made))),
        ("a wrong surface", "/v1/users/login", body(json!(made))),
        ("a wrong mkt-x route", "/api/v1/auth/log-in", body(json!(made))),
    ] {
        let answer = course.ask(asked, login(path, body)).await;
        assert!((400..500).contains(&answer.status), "{asked}: {}", answer.body);
    }
    let broken = anonymous.post("/api2/users/login").header("content-type", "application/json");
    course
        .ask("a broken body", broken.body(format!("{{\"username\":\"{name}\",\"password\":\"{wrong}")))
        .await
        .is(400, "BadRequestError");
    let form = anonymous.post("/api2/users/login").header("content-type", "application/x-www-form-urlencoded");
    course.ask("a form", form.body(format!("username={name}&password={wrong}"))).await.is(415, "UnsupportedMediaType");
    let in_query = format!("/api2/users/login?password={}", "K%C3%BCken%2Bwrong%2FGeheim%201");
    course.ask("a password in a query", login(&in_query, body(json!(made)))).await.is(400, "BadRequestError");

    let session = course.log_in(name, &made).await;
    let patch = |body: Value| session.patch(&format!("/api2/users/{user}")).json(body);
    let answer = course.ask("a wrong old password", patch(json!({ "password": changed, "oldPassword": old }))).await;
    assert!((400..500).contains(&answer.status), "{}", answer.body);
    let (device, misplaced) = ("geraet-7f3a-token-kanari".to_owned(), "geraet-9c1b-token-kanari".to_owned());
    course.traces.secret(&device);
    course.traces.secret(&misplaced);
    let change =
        json!({ "password": changed, "oldPassword": made, "mobileDevice": { "id": "phone", "token": device } });
    course.ask("change it", patch(change).key("changed")).await.ok();
    course.ask("a token for a device", patch(json!({ "mobileDevice": misplaced }))).await.is(400, "BadRequestError");
    course.ask("no device", patch(json!({ "mobileDevice": { "token": misplaced } }))).await.is(400, "BadRequestError");
    assert_eq!(course.kept(&user, "tokenRef").await, [device], "it was taken");
    course.log_in(name, &changed).await;
}

/// One-time tokens that mails bring.
async fn mails(course: &mut Course) {
    let (invited, reset, registered) = (password("invited"), password("reset"), password("registered"));
    for text in [&invited, &reset, &registered, &"kurz7e3f".to_owned()] {
        course.traces.password(text);
    }
    let admin = course.account.admin().clone();
    let anonymous = course.anonymous.clone();
    let name = "invited@example.com";
    course.ask("invite", admin.post("/api2/users").json(somebody(name)).key("invited")).await.ok();
    let token = course.mailed(name).await;
    let set = |body: Value| anonymous.post("/api2/users/password").json(body);
    course.ask("a token alone", set(json!({ "token": token }))).await.is(400, "BadRequestError");
    course
        .ask("a token in a list", set(json!({ "token": [token], "password": invited })))
        .await
        .is(400, "BadRequestError");
    let weak = set(json!({ "token": token, "password": "kurz7e3f" }));
    course.ask("a weak password", weak).await.is(400, "PasswordCriteriaMismatch");
    let get = anonymous.get(&format!("/api2/users/password?token={token}"));
    course.ask("a wrong method", get).await.is(405, "MethodNotAllowedError");
    let wrong_route = anonymous.post(&format!("/api2/users/password/{token}"));
    course.ask("a wrong route", wrong_route.json(json!({}))).await.is(404, "NotFoundError");
    course.ask("a password", set(json!({ "token": token, "password": invited })).key("chosen")).await;
    course.ask("the token again", set(json!({ "token": token, "password": reset }))).await.is(403, "TokenExpired");
    course.log_in(name, &invited).await;

    let before = course.mail.conversations().len();
    let reset_mail = anonymous.post("/api2/users/password/reset").json(json!({ "userName": name }));
    course.ask("reset", reset_mail).await.ok();
    eventually("the mail", || async { (course.mail.conversations().len() > before).then_some(()) }).await;
    let token = course.mailed(name).await;
    course.ask("reset it", set(json!({ "token": token, "password": reset }))).await.ok();
    course.log_in(name, &reset).await;

    let name = "registered@example.com";
    let registration = with(with(with(somebody(name), "password", &*registered), "company", "Birds"), "phone", "1");
    let registration = with(registration, "reCaptcha", "x");
    let register = |body: Value| anonymous.post("/api2/accounts/register").json(body);
    course.ask("an incomplete one", register(with(registration.clone(), "email", ""))).await.is(400, "ValidationError");
    course
        .ask("an impossible one", register(with(registration.clone(), "email", json!([registered]))))
        .await
        .is(400, "BadRequestError");
    let made = course.ask("register", register(registration).key("registered")).await.ok();
    assert!(made.body.get("verificationLink").is_none(), "{}", made.body);
    let token = course.mailed(name).await;
    let activate = |body: Value| anonymous.post("/api2/users/activate").json(body);
    let proof = |name: &str| json!({ "username": name, "accountVerifyOneTimeToken": token });
    course.ask("somebody else's", activate(proof("canary@example.com"))).await.is(403, "TokenExpired");
    let told = |answer: &Answer| vec![answer.text("oneTimeToken"), answer.text("accessToken")];
    course.ask_for("activate", activate(proof(name)), told).await;
    course.log_in(name, &registered).await;
}

/// Second factors, and the other surface that people log in to.
async fn second_factors(course: &mut Course) {
    let text = password("second-factor");
    course.traces.password(&text);
    let anonymous = course.anonymous.clone();
    let person = course.account.person(Role::Cm, &text).await;
    course.traces.secret(person.client.token().unwrap());
    let told = |answer: &Answer| vec![answer.text("secret"), answer.text("jwt")];
    let generate = person.client.post("/api2/users/totp/generate");
    let answer = course.ask_for("generate", generate, told).await;
    let (secret, jwt) = (answer.text("secret"), answer.text("jwt"));
    course.traces.bytes("the second factor's secret", &Secret::Encoded(secret.clone()).to_bytes().unwrap());
    let app = App::new(&secret);
    let verify = |body: Value| person.client.post("/api2/users/totp/verify").json(body);
    course.traces.code(&app.wrong());
    course.traces.code("735195");
    course.ask("a wrong code", verify(json!({ "jwt": jwt, "code": app.wrong() }))).await.is(400, "ValidationError");
    course.ask("a code as number", verify(json!({ "jwt": jwt, "code": 735_195 }))).await.is(400, "BadRequestError");
    course.ask("a jwt in a list", verify(json!({ "jwt": [jwt], "code": "735195" }))).await.is(400, "BadRequestError");
    let code = app.code();
    course.traces.code(&code);
    assert_eq!(course.ask("verify", verify(json!({ "jwt": jwt, "code": code })).key("verify")).await.status, 204);
    let pool = course.service.pool().await;
    half_a_minute_passes(&pool, &person).await;
    let login = anonymous.post("/api2/users/login").json(json!({ "username": person.name, "password": text }));
    let jwt = course.ask_for("half a login", login, at("/jwt")).await.text("jwt");
    let by_code = |code: Value| anonymous.with_token(&jwt).post("/api2/users/totp/login").json(json!({ "code": code }));
    course.ask("a wrong code", by_code(json!(app.wrong()))).await.is(401, "AccessTokenInvalidError");
    course.ask("a code as number", by_code(json!(735_195))).await.is(400, "BadRequestError");
    let code = app.code();
    course.traces.code(&code);
    course.ask_for("log in by code", by_code(json!(code)), session).await;

    let path = "/api/v1/auth/login";
    let login = |body: Value| anonymous.post(path).json(body);
    let wrong = password("mkt-x-wrong");
    course.traces.password(&wrong);
    let body = |password: &str, code: &str| json!({ "email": person.name, "password": password, "code": code });
    course.ask("mkt-x: wrong", login(body(&wrong, "735195"))).await.is(401, "UNAUTHORIZED");
    course
        .ask("mkt-x: malformed", login(json!({ "email": { "of": wrong }, "password": 7 })))
        .await
        .is(400, "BAD_REQUEST");
    half_a_minute_passes(&pool, &person).await;
    let code = app.code();
    course.traces.code(&code);
    let told = |answer: &Answer| {
        ["accessToken", "refreshToken"].map(|name| answer.body["data"][name].as_str().unwrap().to_owned()).to_vec()
    };
    let tokens = course.ask_for("mkt-x: log in", login(body(&text, &code)).key("mkt-x"), told).await;
    let refresh = tokens.body["data"]["refreshToken"].as_str().unwrap().to_owned();
    let next = |body: Value| anonymous.post("/api/v1/auth/refresh").json(body);
    course.ask("mkt-x: malformed", next(json!({ "refreshToken": [refresh] }))).await.is(400, "BAD_REQUEST");
    let wrong_route = anonymous.post(&format!("/api/v1/auth/refresh/{refresh}"));
    course.ask("mkt-x: a wrong route", wrong_route.json(json!({}))).await.is(404, "RESOURCE_NOT_FOUND");
    let tokens = course.ask_for("mkt-x: refresh", next(json!({ "refreshToken": refresh })), told).await;
    let access = tokens.body["data"]["accessToken"].as_str().unwrap();
    let me = anonymous.with_token(access).get("/api/v1/auth/me");
    course.ask("mkt-x: me", me).await.ok();
    course.ask("mkt-x: the token again", next(json!({ "refreshToken": refresh }))).await.is(401, "UNAUTHORIZED");
}

/// A second factor that has to be set up while logging in, and one that is removed.
async fn demanded_factors(course: &mut Course) {
    let text = password("demanded");
    course.traces.password(&text);
    let anonymous = course.anonymous.clone();
    let account = course.service.account("Demanding").await;
    let person = account.person(Role::Cm, &text).await;
    course.traces.secret(person.client.token().unwrap());
    demand_second_factors(&account).await;
    let login = anonymous.post("/api2/users/login").json(json!({ "username": person.name, "password": text }));
    let told = |answer: &Answer| vec![answer.text("secret"), answer.text("jwt")];
    let asked = course.ask_for("a login to set up", login, told).await;
    let app = App::new(&asked.text("secret"));
    let code = app.code();
    course.traces.code(&code);
    let by_code = anonymous.with_token(&asked.text("jwt")).post("/api2/users/totp/login");
    course.ask_for("set up by code", by_code.json(json!({ "code": code })), session).await;
    half_a_minute_passes(&course.service.pool().await, &person).await;
    let remove = |code: &str| person.client.delete(&format!("/api2/users/{}/totp?code={code}", person.id()));
    course.ask("remove by a wrong code", remove("735195")).await.is(403, "AccessDenied");
    let code = app.code();
    course.traces.code(&code);
    course.ask("remove by code", remove(&code).key("remove")).await.ok();
}

/// What applications prove themselves by, and the secret of an identity provider.
async fn applications(course: &mut Course) {
    let admin = course.account.admin().clone();
    let anonymous = course.anonymous.clone();
    let app = course
        .ask("register an app", admin.post("/api2/apps").json(json!({ "name": "Concierge" })).key("app"))
        .await
        .ok()
        .id();
    let issue = || admin.post(&format!("/api2/apps/{app}/keys")).json(json!({ "label": "ci" })).key("a-key");
    let key = course.ask_for("a key", issue(), at("/secret")).await.text("secret");
    assert!(course.ask("the same again", issue()).await.ok().replayed());
    let rotate = || admin.post(&format!("/api2/apps/{app}/secret")).key("a-secret");
    let secret = course.ask_for("a secret", rotate(), at("/secret")).await.text("secret");
    assert!(course.ask("the same again", rotate()).await.ok().replayed());
    let wrong = format!("pak_{}", "ka5a71".repeat(10));
    let wrong_secret = format!("pas_{}", "ka5a72".repeat(10));
    course.traces.secret(&wrong);
    course.traces.secret(&wrong_secret);
    let by_key = |key: &str| anonymous.get(&format!("/v1/app?appId={app}")).header("x-api-key", key);
    course.ask("by key", by_key(&key)).await.ok();
    course.ask("by a wrong key", by_key(&wrong)).await;
    let nowhere = anonymous.get(&format!("/v1/nothing?key={key}")).header("x-api-key", &key);
    course.ask("a wrong route", nowhere).await;
    let bearer = anonymous.get(&format!("/v1/app?appId={key}")).header("authorization", &format!("Bearer {key}"));
    course.ask("in wrong places", bearer).await;
    for path in ["/bot-api/v1/login", "/bot-api/v1/token"] {
        let login = |app: &str, secret: Value| anonymous.post(path).json(json!({ "appId": app, "appSecret": secret }));
        course.ask("a wrong secret", login(&app, json!(wrong_secret))).await.is(400, "AppCredentialsInvalidError");
        course.ask("a secret in a list", login(&app, json!([secret]))).await.is(400, "BadRequestError");
        course.ask("a secret for an id", login(&secret, json!(secret))).await.is(400, "BadRequestError");
        let token = course
            .ask_for("a token", login(&app, json!(secret)).key("a-token"), at("/authToken"))
            .await
            .text("authToken");
        course.ask("by token", anonymous.get("/bot-api/v1/app").header("authorization", &token)).await.ok();
        course.ask("a wrong route", anonymous.get(&format!("/bot-api/v1/app/{token}"))).await.is(404, "NotFoundError");
    }

    let [provider, refused, misplaced] = ["kc-Kanari+7f/1", "kc-Kanari+7f/2", "kc-Kanari+7f/3"];
    for text in [provider, refused, misplaced] {
        course.traces.password(text);
    }
    let account = course.account.id.to_string();
    let patch = |body: Value| admin.patch(&format!("/api2/accounts/{account}")).json(body);
    let set = || patch(json!({ "keycloak": { "realm": "birds", "secret": provider } })).key("keycloak");
    course.ask("a provider", set()).await.ok();
    assert!(course.ask("the same again", set()).await.ok().replayed());
    course
        .ask("refused", patch(json!({ "name": "", "keycloak": { "secret": refused } })))
        .await
        .is(400, "ValidationError");
    course.ask("misplaced", patch(json!({ "keycloak": misplaced }))).await.is(400, "BadRequestError");
    course.ask("in a list", patch(json!({ "keycloak": { "secret": [misplaced] } }))).await.is(400, "BadRequestError");
    assert_eq!(course.kept(&account, "secretRef").await, [provider], "it was taken");
}

/// Sessions wherever they may be presented, and where they may not.
async fn sessions(course: &mut Course) {
    let anonymous = course.anonymous.clone();
    let operator = course.account.as_role(Role::SuperAdmin).await;
    let user = course.account.as_role(Role::Editor).await;
    course.traces.secret(operator.token().unwrap());
    let mask = operator.post(&format!("/api2/users/{}/mask", user.id()));
    let masked = course.ask_for("mask", mask.key("mask"), session).await.header("accesstoken").unwrap().to_owned();
    for token in [masked.as_str(), user.token().unwrap()] {
        course.traces.secret(token);
        let cookie = format!("accesstoken={token}");
        for (asked, request) in [
            ("header", anonymous.with_token(token).get("/api2/channels")),
            ("query", anonymous.get(&format!("/api2/channels?accesstoken={token}"))),
            ("cookie", anonymous.get("/api2/channels").header("cookie", &cookie)),
        ] {
            course.ask(asked, request).await.ok();
        }
        for (asked, request) in [
            ("no route", anonymous.get(&format!("/api2/nothing?accesstoken={token}"))),
            ("no surface", anonymous.get(&format!("/{token}"))),
            ("an id", anonymous.with_token(token).get(&format!("/api2/channels/{token}"))),
            (
                "two",
                anonymous.with_token(token).get(&format!("/api2/channels?accesstoken={}", operator.token().unwrap())),
            ),
            ("an unknown parameter", anonymous.with_token(token).get(&format!("/api2/channels?token={token}"))),
            ("another surface", anonymous.with_token(token).get("/api/v1/auth/me")),
            ("a scheme of its own", anonymous.get("/api2/channels").header("authorization", token)),
            ("a key", anonymous.get("/v1/app").header("x-api-key", token)),
        ] {
            let answer = course.ask(asked, request).await;
            assert!((400..500).contains(&answer.status), "{asked}: {}", answer.body);
        }
    }
    let out = anonymous.with_token(&masked).get("/api2/users/logout");
    course.ask("log out", out).await.ok();
}

/// Everybody who was given a token by the command line, and files of settings that can not be read.
async fn tools(course: &mut Course) -> Vec<(String, String)> {
    let service = &course.service;
    let account = course.account.id.to_string();
    for arguments in [
        vec!["account", "create", "--name", "Tools", "--user", "tool-1@example.com"],
        vec!["account", "user", &account, "--user", "tool-2@example.com", "--role", "EDITOR"],
    ] {
        let told: Value = serde_json::from_str(&service.tool(&arguments).await).unwrap();
        let token = told["accesstoken"].as_str().unwrap();
        course.traces.secret(token);
        let client = course.anonymous.with_token(token);
        eventually("the new user", || async { (client.get("/api2/channels").await.status == 200).then_some(()) }).await;
    }
    let written = "settings-Kanari+3d/1";
    course.traces.password(written);
    let mut printed = Vec::new();
    for line in [
        format!("master_key = \"{written}"),
        format!("master_key = [\"{written}\"]"),
        format!("smtp_url = \"smtp://ada:{written}\"@example.com\""),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("pool_size = 5\n{line}\n")).unwrap();
        let ended = course.service.tool_output(&["mail", "--config", file.path().to_str().unwrap()]).await;
        assert!(!ended.status.success() && !ended.stderr.is_empty(), "{line}: {}", ended.stderr);
        printed.push((format!("the refusal of {line}"), ended.stderr));
    }
    printed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_an_event_a_table_a_log_or_an_answer() {
    let mail = SmtpServer::start([]);
    let mail_password = "smtp-Kanari+5e/1";
    let levels = "debug,palaver_api=trace,palaver_commands=trace,palaver_eventstore=trace,palaver_projections=trace,\
                  palaver_domain=trace";
    let service = ServiceOptions::new("up")
        .setting("log", levels)
        .setting("smtp-url", &mail.url("palaver:smtp-Kanari%2B5e%2F1@", ""))
        .setting("mail-from", "Palaver <palaver@example.com>")
        .start()
        .await;
    let account = service.account("Canaries").await;
    let anonymous = service.anonymous();
    let mut course = Course { service, account, anonymous, mail, traces: Traces::default(), heard: Vec::new() };
    course.traces.password(mail_password);
    course.traces.secret(MASTER_KEY);
    let key: Vec<u8> = MASTER_KEY
        .as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect();
    course.traces.bytes("the master key", &key);
    let token = course.account.admin().token().unwrap().to_owned();
    course.traces.secret(&token);

    passwords(&mut course).await;
    mails(&mut course).await;
    second_factors(&mut course).await;
    demanded_factors(&mut course).await;
    applications(&mut course).await;
    sessions(&mut course).await;
    let printed = tools(&mut course).await;
    assert!(course.mail.conversations().iter().any(|one| one.commands.iter().any(|line| line.starts_with("AUTH"))));

    let metrics = course.anonymous.get("/metrics");
    course.ask("metrics", metrics).await.ok();
    let admin = course.account.admin().clone();
    for path in ["/api2/users", "/api2/accounts", "/api2/apps", "/api2/settings", "/api2/"] {
        course.ask(path, admin.get(path)).await.ok();
    }
    look_everywhere(course, &token, printed).await;
}

/// All that the service has stored, logged, answered and printed.
async fn look_everywhere(mut course: Course, token: &str, mut printed: Vec<(String, String)>) {
    let pool = course.service.pool().await;
    let streams: Vec<(String, String)> =
        sqlx::query_as("SELECT DISTINCT aggregate_type, aggregate_id FROM events").fetch_all(&pool).await.unwrap();
    for arguments in [vec!["mail"], vec!["mail", "list", "--json"], vec!["projections"], vec!["quarantine", "list"]] {
        printed.push((arguments.join(" "), course.service.tool(&arguments).await));
    }
    // One of each type: whatever is printed of the others is in their events, which are all looked at.
    let mut types: Vec<&str> = Vec::new();
    for (kind, id) in &streams {
        if !types.contains(&kind.as_str()) {
            types.push(kind);
            printed.push((format!("history {kind}"), course.service.tool(&["history", kind, id, "--json"]).await));
            printed.push((format!("history {kind}"), course.service.tool(&["history", kind, id]).await));
        }
    }
    let stored = cells(&pool).await;
    course.service.stop().await;
    let log = course.service.log();

    let mut search = course.traces.search();
    for cell in &stored {
        search.look(&cell.place, &cell.bytes, &[]);
    }
    for line in log.lines() {
        search.look(&format!("the log: {line}"), line.as_bytes(), &[]);
    }
    for heard in &course.heard {
        let text = heard.text();
        search.look(&format!("the answer to {}: {}", heard.asked, heard.answer.body), &text, &heard.tells);
    }
    for (command, text) in &printed {
        search.look(command, text.as_bytes(), &[]);
    }
    let faults: Vec<_> = search.faults.iter().cloned().collect();
    assert!(faults.is_empty(), "{} traces of secrets:\n{}", faults.len(), faults.join("\n"));

    // It has looked where there is something to be found.
    let hash = Sha256::digest(token.as_bytes());
    let holds = |place: &str, bytes: &[u8]| {
        stored.iter().any(|cell| cell.place == place && cell.bytes.windows(bytes.len()).any(|window| window == bytes))
    };
    assert!(holds("public.access_tokens.token_hash", &hash));
    assert!(
        holds("public.events.payload", b"canary@example.com") && holds("read_model.users.doc", b"canary@example.com")
    );
    assert!(holds("public.passwords.hash", b"$argon2id$") && holds("public.command_receipts.command_id", b"made"));
    assert!(log.contains("\"level\":\"DEBUG\"") && log.contains("/api2/users/password"));
    assert!(printed.iter().any(|(_, text)| text.contains("registered@example.com")));
}
