//! How often somebody may ask: per credential, per tenant, and per client address where no credential is known yet.
//!
//! Each process counts for itself; behind a balancer a client may ask each process as often. The count is GCRA's: a
//! whole limit may be used at once, and comes back evenly over the window. Memory is bounded: a key that was not seen
//! for a window has its whole limit again and is forgotten, and of too many keys the one unseen for longest is.
//!
//! Source of the headers and of mkt-x's limit: seed 002, "Rate Limiting".

use std::{
    convert::Infallible,
    fmt::Debug,
    hash::Hash,
    num::NonZeroU32,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri, header};
use chrono::{DateTime, Utc};
use governor::{
    NotUntil, Quota, RateLimiter,
    clock::{Clock, Reference},
    middleware::{StateInformationMiddleware, StateSnapshot},
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore},
};
use moka::{policy::EvictionPolicy, sync::Cache};
use palaver_domain::AccountId;
use sha2::{Digest, Sha256};

use super::{ApiError, client_address::ClientNetwork};
use crate::{
    auth::{ACCESSTOKEN, CredentialHash, Principal, X_API_KEY, cookie},
    permissions::Surface,
};

pub(super) const X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
pub(super) const X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
pub(super) const X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Keys that one limit remembers.
const KEYS_MAX: u64 = 100_000;
/// For how long a credential that was accepted is not taken for a guess.
const FAMILIAR_IDLE: Duration = Duration::from_secs(3_600);

/// How many requests pass in a window. 0 turns a limit off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    pub window: Duration,
    pub per_credential: u32,
    pub per_tenant: u32,
    /// Instead of `per_tenant`, on the surface mkt-x.
    pub mkt_x_per_tenant: u32,
    /// Requests to public routes, and those whose token is missing or not valid.
    pub per_address: u32,
}

impl RateLimits {
    /// No limits.
    pub const OFF: Self =
        Self { window: Duration::from_secs(60), per_credential: 0, per_tenant: 0, mkt_x_per_tenant: 0, per_address: 0 };
}

/// Time as the limits see it. Not the wall clock's, which jumps.
#[derive(Clone, Debug)]
enum Ticks {
    Monotonic(governor::clock::MonotonicClock, std::time::Instant),
    #[cfg(test)]
    Manual(governor::clock::FakeRelativeClock),
}

impl Ticks {
    fn start() -> Self {
        let clock = governor::clock::MonotonicClock;
        let start = clock.now();
        Self::Monotonic(clock, start)
    }
}

impl Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        match self {
            Self::Monotonic(clock, start) => Reference::duration_since(&clock.now(), *start),
            #[cfg(test)]
            Self::Manual(clock) => clock.now(),
        }
    }
}

/// The state of each key, for as long as it says anything.
#[derive(Clone, Debug)]
struct Keys<K: Hash + Eq + Send + Sync + 'static>(Cache<K, Arc<InMemoryState>>);

impl<K: Copy + Hash + Eq + Send + Sync + 'static> StateStore for Keys<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.get_with(*key, Arc::default).measure_and_replace(&NotKeyed::NonKey, measure)
    }
}

/// One limit, with a count for each key.
#[derive(Debug)]
struct Meter<K: Copy + Hash + Eq + Debug + Send + Sync + 'static> {
    limiter: RateLimiter<K, Keys<K>, Ticks, StateInformationMiddleware>,
    keys: Keys<K>,
    quota: Quota,
}

impl<K: Copy + Hash + Eq + Debug + Send + Sync + 'static> Meter<K> {
    /// `None` when the limit is off.
    fn new(limit: u32, window: Duration, ticks: &Ticks) -> Option<Self> {
        let limit = NonZeroU32::new(limit)?;
        let quota = Quota::with_period(window / limit.get())?.allow_burst(limit);
        let cache = Cache::builder()
            .max_capacity(KEYS_MAX)
            .time_to_idle(window)
            // The usual policy may not let a new key in, which would then be counted from 0 each time.
            .eviction_policy(EvictionPolicy::lru());
        let keys = Keys(cache.build());
        let limiter = RateLimiter::new(quota, keys.clone(), ticks.clone());
        Some(Self { limiter, keys, quota })
    }

    /// Counts a request.
    fn count(&self, key: K) -> Result<Standing, Refused> {
        match self.limiter.check_key(&key) {
            Ok(state) => Ok(self.standing(&state)),
            Err(until) => Err(self.refused(&until)),
        }
    }

    /// Takes the count of a request back.
    fn give_back(&self, key: K) {
        let one = Nanos::from(self.quota.replenish_interval());
        // A key that was forgotten meanwhile has its whole limit already.
        let arrival = |arrival: Option<Nanos>| arrival.map_or(Nanos::new(0), |arrival| arrival.saturating_sub(one));
        let Ok(()) = self.keys.measure_and_replace(&key, |old| Ok::<_, Infallible>(((), arrival(old))));
    }

    fn standing(&self, state: &StateSnapshot) -> Standing {
        let limit = self.quota.burst_size().get();
        let remaining = state.remaining_burst_capacity();
        Standing { limit, remaining, whole_in: self.quota.replenish_interval() * limit.saturating_sub(remaining) }
    }

    fn refused(&self, until: &NotUntil<Nanos>) -> Refused {
        let limit = self.quota.burst_size().get();
        let wait = until.wait_time_from(self.limiter.clock().now());
        Refused {
            standing: Standing { limit, remaining: 0, whole_in: self.quota.burst_size_replenished_in() },
            retry_after_s: u32::try_from(seconds_up(wait)).unwrap_or(u32::MAX).max(1),
        }
    }
}

/// Whole seconds, begun ones included.
fn seconds_up(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// How far a limit is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    limit: u32,
    remaining: u32,
    /// Time until the whole limit is there again, if nobody asks.
    whole_in: Duration,
}

impl Standing {
    fn tell(self, headers: &mut HeaderMap, now: DateTime<Utc>) {
        let reset = u64::try_from(now.timestamp()).unwrap_or_default().saturating_add(seconds_up(self.whole_in));
        headers.insert(X_RATELIMIT_LIMIT, HeaderValue::from(self.limit));
        headers.insert(X_RATELIMIT_REMAINING, HeaderValue::from(self.remaining));
        headers.insert(X_RATELIMIT_RESET, HeaderValue::from(reset));
    }

    /// Of two limits, the one that ends first is worth telling.
    fn tighter(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).min_by_key(|standing| standing.remaining)
    }
}

/// Where the guard leaves a request's standing for the answer's headers, whatever becomes of the handler.
#[derive(Clone, Debug, Default)]
pub(super) struct Noted(Arc<OnceLock<Standing>>);

impl Noted {
    pub fn note(&self, standing: Standing) {
        // A request passes the guard once.
        self.0.get_or_init(|| standing);
    }

    pub fn tell(&self, headers: &mut HeaderMap, now: DateTime<Utc>) {
        if let Some(standing) = self.0.get() {
            standing.tell(headers, now);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refused {
    standing: Standing,
    retry_after_s: u32,
}

/// A fingerprint of the credentials of a request as it presents them, whatever they are.
type Presented = [u8; 32];

/// All limits, and what they have counted.
#[derive(Debug)]
pub struct Meters {
    credential: Option<Meter<CredentialHash>>,
    tenant: Option<Meter<AccountId>>,
    mkt_x_tenant: Option<Meter<AccountId>>,
    address: Option<Meter<ClientNetwork>>,
    /// Credentials that were accepted lately. They work although others at the same address are guessing.
    familiar: Cache<Presented, ()>,
    proxy_trusted: bool,
}

/// A request whose credentials are about to be looked at.
#[derive(Debug)]
pub(super) struct Attempt {
    presented: Option<Presented>,
    /// The address it was counted against.
    counted: Option<ClientNetwork>,
}

impl Meters {
    /// `proxy_trusted`: clients come through a proxy that appends their address to `X-Forwarded-For`.
    pub fn new(limits: RateLimits, proxy_trusted: bool) -> Self {
        Self::ticking(limits, proxy_trusted, &Ticks::start())
    }

    fn ticking(limits: RateLimits, proxy_trusted: bool, ticks: &Ticks) -> Self {
        Self {
            credential: Meter::new(limits.per_credential, limits.window, ticks),
            tenant: Meter::new(limits.per_tenant, limits.window, ticks),
            mkt_x_tenant: Meter::new(limits.mkt_x_per_tenant, limits.window, ticks),
            address: Meter::new(limits.per_address, limits.window, ticks),
            familiar: Cache::builder().max_capacity(KEYS_MAX).time_to_idle(FAMILIAR_IDLE).build(),
            proxy_trusted,
        }
    }

    /// Counts a request to a public route.
    ///
    /// # Errors
    /// `TooManyRequestsError`; the standing is told all the same.
    pub(super) fn public(
        &self,
        extensions: &Extensions,
        headers: &HeaderMap,
        standing: &mut Option<Standing>,
    ) -> Result<(), ApiError> {
        let Some(meter) = &self.address else { return Ok(()) };
        told(meter.count(ClientNetwork::of(extensions, headers, self.proxy_trusted)), "address", standing)
    }

    /// Counts a request whose credentials nobody has accepted yet as a guess, until they are.
    ///
    /// # Errors
    /// `TooManyRequestsError`, whether the credentials are valid or not: a guess must not be told.
    pub(super) fn attempt(
        &self,
        extensions: &Extensions,
        headers: &HeaderMap,
        uri: &Uri,
        standing: &mut Option<Standing>,
    ) -> Result<Attempt, ApiError> {
        let presented = presented(headers, uri);
        let familiar = presented.is_some_and(|presented| self.familiar.contains_key(&presented));
        let mut attempt = Attempt { presented, counted: None };
        if let Some(meter) = &self.address
            && !familiar
        {
            let network = ClientNetwork::of(extensions, headers, self.proxy_trusted);
            told(meter.count(network), "address", standing)?;
            attempt.counted = Some(network);
        }
        Ok(attempt)
    }

    /// The credentials are valid, so it was no guess.
    pub(super) fn accepted(&self, attempt: &Attempt) {
        if let Some(presented) = attempt.presented {
            // Asked for even when it is there: it shall not become idle.
            if self.familiar.get(&presented).is_none() {
                self.familiar.insert(presented, ());
            }
        }
        self.forgive(attempt);
    }

    /// The credentials were not accepted. What failed on our side is not held against anybody.
    pub(super) fn not_accepted(&self, attempt: &Attempt, error: &ApiError) {
        if error.code.status().is_server_error() {
            self.forgive(attempt);
        } else if let Some(presented) = &attempt.presented {
            self.familiar.invalidate(presented);
        }
    }

    fn forgive(&self, attempt: &Attempt) {
        if let (Some(meter), Some(network)) = (&self.address, attempt.counted) {
            meter.give_back(network);
        }
    }

    /// Counts a request with valid credentials. A credential that asks too often does not use up its tenant's limit.
    ///
    /// # Errors
    /// `TooManyRequestsError`; the standing is told all the same.
    pub(super) fn caller(
        &self,
        surface: Surface,
        principal: &Principal,
        standing: &mut Option<Standing>,
    ) -> Result<(), ApiError> {
        *standing = None;
        if let Some(meter) = &self.credential {
            told(meter.count(principal.credential()), "token", standing)?;
        }
        let tenant = if surface == Surface::MktX { &self.mkt_x_tenant } else { &self.tenant };
        if let Some(meter) = tenant {
            told(meter.count(principal.tenant()), "account", standing)?;
        }
        Ok(())
    }
}

fn told(counted: Result<Standing, Refused>, whose: &str, standing: &mut Option<Standing>) -> Result<(), ApiError> {
    match counted {
        Ok(now) => {
            *standing = Standing::tighter(*standing, Some(now));
            Ok(())
        }
        Err(refused) => {
            *standing = Some(refused.standing);
            metrics::counter!("palaver_http_rate_limited_total", "by" => whose.to_owned()).increment(1);
            Err(ApiError::too_many_requests(
                format!("too many requests from this {whose}; try again in {} s", refused.retry_after_s),
                refused.retry_after_s,
            ))
        }
    }
}

/// `None` when no credentials are presented.
fn presented(headers: &HeaderMap, uri: &Uri) -> Option<Presented> {
    let in_query = uri.query().unwrap_or_default().split('&').filter(|pair| pair.starts_with(ACCESSTOKEN));
    let in_headers = headers.get_all(header::AUTHORIZATION).iter().chain(headers.get_all(X_API_KEY));
    let mut hash = Sha256::new();
    let mut any = false;
    let in_cookie = cookie::given(headers).into_iter();
    for part in in_headers.map(HeaderValue::as_bytes).chain(in_query.chain(in_cookie).map(str::as_bytes)) {
        any = true;
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    any.then(|| hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use governor::clock::FakeRelativeClock;
    use palaver_domain::{UserId, identity::Role};

    use super::*;
    use crate::{
        auth::Caller,
        http::{ErrorCode, Peer},
    };

    const WINDOW: Duration = Duration::from_secs(60);

    fn meters(limits: RateLimits) -> (Meters, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Meters::ticking(limits, false, &Ticks::Manual(clock.clone())), clock)
    }

    fn caller(tenant: u8, token: &str) -> Principal {
        Principal::User(Caller {
            tenant: AccountId::from_bytes([tenant; 12]),
            user: UserId::default(),
            user_name: String::new(),
            role: Role::Admin,
            permissions: Role::Admin.permissions(),
            team_ids: Vec::new(),
            read_only_channel_ids: Vec::new(),
            masked_by: None,
            credential: CredentialHash::of(token),
        })
    }

    fn passes(meters: &Meters, surface: Surface, caller: &Principal) -> bool {
        meters.caller(surface, caller, &mut None).is_ok()
    }

    fn from(address: &str) -> Extensions {
        let mut extensions = Extensions::new();
        extensions.insert(Peer(address.parse().unwrap()));
        extensions
    }

    #[test]
    fn of_ten_thousand_at_once_exactly_the_limit_passes_and_comes_back_evenly() {
        let (meters, clock) = meters(RateLimits { window: WINDOW, per_credential: 600, ..RateLimits::OFF });
        let one = caller(1, "one");
        let rush = || {
            let passed = AtomicU32::new(0);
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        for _ in 0..1_250 {
                            passed.fetch_add(u32::from(passes(&meters, Surface::Socialhub, &one)), Ordering::Relaxed);
                        }
                    });
                }
            });
            passed.into_inner()
        };
        assert_eq!(rush(), 600);
        assert_eq!(rush(), 0);
        for (wait, passed) in [(WINDOW / 4, 150), (WINDOW / 600, 1), (WINDOW, 600), (WINDOW * 10, 600)] {
            clock.advance(wait);
            assert_eq!(rush(), passed, "after {wait:?}");
        }
        assert!(passes(&meters, Surface::Socialhub, &caller(1, "other")));
    }

    #[test]
    fn a_tenant_has_a_limit_over_all_its_credentials_and_another_on_mkt_x() {
        let limits = RateLimits { per_credential: 4, per_tenant: 6, mkt_x_per_tenant: 2, ..RateLimits::OFF };
        let (meters, _) = meters(limits);
        let count =
            |surface, tenant, token| (0..10).filter(|_| passes(&meters, surface, &caller(tenant, token))).count();
        // The refusals of the first credential cost its tenant nothing.
        assert_eq!(count(Surface::Socialhub, 1, "one"), 4);
        assert_eq!(count(Surface::Bots, 1, "two"), 2);
        assert_eq!(count(Surface::MktX, 1, "three"), 2);
        assert_eq!(count(Surface::MktX, 2, "four"), 2);
    }

    #[test]
    fn the_tighter_limit_is_told_and_a_refusal_says_when_to_come_back() {
        let (meters, clock) =
            meters(RateLimits { window: WINDOW, per_credential: 9, per_tenant: 3, ..RateLimits::OFF });
        let one = caller(1, "one");
        let told = |standing: Option<Standing>| {
            let mut headers = HeaderMap::new();
            standing.unwrap().tell(&mut headers, DateTime::from_timestamp(1_000, 0).unwrap());
            ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
                .map(|name| headers[name].to_str().unwrap().parse::<u64>().unwrap())
        };
        for left in [2, 1, 0] {
            let mut standing = None;
            meters.caller(Surface::Socialhub, &one, &mut standing).unwrap();
            assert_eq!(told(standing), [3, left, 1_000 + 20 * (3 - left)]);
        }
        clock.advance(Duration::from_millis(500));
        let mut standing = None;
        let error = meters.caller(Surface::Socialhub, &one, &mut standing).unwrap_err();
        assert_eq!(error.message, "too many requests from this account; try again in 20 s");
        assert_eq!(told(standing), [3, 0, 1_060]);
        clock.advance(Duration::from_secs(20));
        assert!(passes(&meters, Surface::Socialhub, &one));
    }

    #[test]
    fn guesses_count_against_their_address_and_what_is_known_to_be_valid_does_not() {
        let (meters, clock) = meters(RateLimits { window: WINDOW, per_address: 3, ..RateLimits::OFF });
        let (here, same_network, elsewhere) =
            (from("[2001:db8::1]:1"), from("[2001:db8::2]:1"), from("[2001:db8:0:1::1]:1"));
        let invalid = ApiError::new(ErrorCode::AccessTokenInvalidError, "no");
        let attempt = |at: &Extensions, token: &str| {
            let uri = format!("/x?a=b&accesstoken={token}").parse().unwrap();
            meters.attempt(at, &HeaderMap::new(), &uri, &mut None)
        };
        // However often the right one comes, and whatever fails on our side.
        for turn in 0..10 {
            meters.accepted(&attempt(&here, &format!("right-{turn}")).unwrap());
            meters.not_accepted(&attempt(&here, "later").unwrap(), &ApiError::unavailable("away", 1));
        }
        for guess in ["one", "two"] {
            meters.not_accepted(&attempt(&here, guess).unwrap(), &invalid);
        }
        meters.not_accepted(&attempt(&same_network, "three").unwrap(), &invalid);
        for unknown in ["four", "a-right-one-that-is-new"] {
            assert_eq!(attempt(&here, unknown).unwrap_err().code, ErrorCode::TooManyRequestsError, "{unknown}");
        }
        assert!(meters.public(&here, &HeaderMap::new(), &mut None).is_err(), "one limit for both");
        meters.accepted(&attempt(&here, "right-7").unwrap());
        // Revoked meanwhile: from now on it is a guess as well.
        meters.not_accepted(&attempt(&here, "right-7").unwrap(), &invalid);
        assert!(attempt(&here, "right-7").is_err());
        assert!(attempt(&elsewhere, "four").is_ok());
        clock.advance(WINDOW / 3);
        assert!(attempt(&here, "five").is_ok());
        assert!(attempt(&here, "six").is_err());
    }

    #[test]
    fn keys_are_of_a_bounded_number_and_a_known_one_stays() {
        let meter = Meter::new(1, Duration::from_secs(86_400), &Ticks::start()).unwrap();
        for key in 0..KEYS_MAX + 10_000 {
            assert!(meter.count(key).is_ok());
            // In use all the time, so never the one to go.
            assert!(meter.count(0).is_err());
        }
        meter.keys.0.run_pending_tasks();
        assert!(meter.keys.0.entry_count() <= KEYS_MAX);
    }
}
