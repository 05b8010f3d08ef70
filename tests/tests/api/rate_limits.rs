//! How often somebody may ask. Each test starts a service whose limits are small and come back slowly.

use std::time::Instant;

use futures::{StreamExt, stream};
use palaver_domain::identity::Role;
use palaver_tests::ServiceOptions;

const WINDOW_SECONDS: u32 = 7_200;
const REQUESTS: usize = 10_000;
const AT_ONCE: usize = 500;

#[tokio::test]
async fn of_ten_thousand_requests_at_once_the_limit_passes_and_no_more() {
    const LIMIT: u32 = 600;
    let service = ServiceOptions::new("up")
        .setting("rate-limit-window-seconds", &WINDOW_SECONDS.to_string())
        .setting("rate-limit-per-credential", &LIMIT.to_string())
        .start()
        .await;
    let account = service.account("Rush").await;
    let (admin, other) = (account.admin(), account.as_role(Role::Smm).await);
    let since = Instant::now();
    let answers: Vec<_> = stream::iter(0..REQUESTS)
        .map(|_| async { admin.get("/api2/channels?count=1").await })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let elapsed = since.elapsed();
    let passed = answers.iter().filter(|answer| answer.status == 200).count();
    let replenished = elapsed.as_secs_f64() * f64::from(LIMIT) / f64::from(WINDOW_SECONDS);
    let most = LIMIT as usize + replenished.ceil() as usize;
    assert!((LIMIT as usize..=most).contains(&passed), "{passed} passed, of {LIMIT} to {most}, in {elapsed:?}");
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        let answer = answer.is(429, "TooManyRequestsError");
        let header = |name: &str| answer.header(name).unwrap().parse::<i64>().unwrap();
        assert!((1..=i64::from(WINDOW_SECONDS / LIMIT)).contains(&header("retry-after")));
        assert_eq!((header("x-ratelimit-limit"), header("x-ratelimit-remaining")), (LIMIT.into(), 0));
        assert!(header("x-ratelimit-reset") > crate::now().timestamp());
    }
    // Neither another token nor an operator is concerned.
    let theirs = other.get("/api2/channels").await.ok();
    assert_eq!(theirs.header("x-ratelimit-remaining"), Some("599"));
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        assert_eq!(admin.get(path).await.ok().header("x-ratelimit-limit"), None, "{path}");
    }
}

#[tokio::test]
async fn tokens_can_not_be_guessed_at_speed() {
    let service = ServiceOptions::new("up")
        .setting("rate-limit-window-seconds", &WINDOW_SECONDS.to_string())
        .setting("rate-limit-per-address", "5")
        .setting("proxy-trusted", "true")
        .start()
        .await;
    let account = service.account("Guesses").await;
    let admin = account.admin();
    admin.get("/api2/channels").await.ok();
    let anonymous = service.anonymous();
    let guess = |from: &'static str, token: String| {
        anonymous.get(&format!("/api2/channels?accesstoken={token}")).header("x-forwarded-for", from)
    };
    for turn in 0..5 {
        // What comes before the last hop is only claimed.
        let from = if turn % 2 == 0 { "203.0.113.1, 198.51.100.1" } else { "198.51.100.1" };
        guess(from, format!("guess-{turn}")).await.is(401, "AccessTokenInvalidError");
    }
    let late = guess("198.51.100.1", "guess-6".to_owned()).await.is(429, "TooManyRequestsError");
    assert_eq!(late.header("x-ratelimit-limit"), Some("5"));
    // A guess that is right is not told from there, and the same token works from elsewhere and is known then.
    let right = || admin.token().unwrap().to_owned();
    guess("198.51.100.1", right()).await.is(429, "TooManyRequestsError");
    guess("198.51.100.2", right()).await.ok();
    guess("198.51.100.1", right()).await.ok();
}
