//! How many streams may be open at one time: in the process, for one account, and by one credential.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use metrics::gauge;
use palaver_domain::AccountId;

use crate::{
    auth::{CredentialHash, Principal},
    http::{ApiError, ErrorCode},
};

/// When to try again; streams last, so a place is free when somebody hangs up.
const RETRY_AFTER_S: u32 = 10;

/// Streams at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    pub all: usize,
    pub per_tenant: usize,
    pub per_credential: usize,
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: StreamLimits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_tenant: HashMap<AccountId, usize>,
    by_credential: HashMap<CredentialHash, usize>,
}

/// Somebody's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    shared: Arc<Shared>,
    tenant: AccountId,
    credential: CredentialHash,
}

impl Places {
    pub fn new(limits: StreamLimits) -> Self {
        Self(Arc::new(Shared { limits, taken: Mutex::default() }))
    }

    /// # Errors
    /// `TooManyStreamsError` when the credential or its account has as many as it may, `ServiceUnavailableError` when the
    /// process has.
    pub fn take(&self, principal: &Principal) -> Result<Place, ApiError> {
        let (tenant, credential, limits) = (principal.tenant(), principal.credential(), self.0.limits);
        let mut taken = self.0.taken();
        let too_many = |whose: &str, limit: usize| {
            let message = format!("this {whose} has {limit} streams open, which is as many as it may have");
            Err(ApiError::new(ErrorCode::TooManyStreamsError, message).retry_after(RETRY_AFTER_S))
        };
        if taken.by_credential.get(&credential).is_some_and(|count| *count >= limits.per_credential) {
            return too_many("token", limits.per_credential);
        }
        if taken.by_tenant.get(&tenant).is_some_and(|count| *count >= limits.per_tenant) {
            return too_many("account", limits.per_tenant);
        }
        if taken.all >= limits.all {
            let message = "this process has as many streams open as it takes; try again, or another process";
            return Err(ApiError::unavailable(message, RETRY_AFTER_S));
        }
        taken.all += 1;
        *taken.by_tenant.entry(tenant).or_default() += 1;
        *taken.by_credential.entry(credential).or_default() += 1;
        gauge!("palaver_event_streams_open").set(taken.all as f64);
        Ok(Place { shared: self.0.clone(), tenant, credential })
    }
}

impl Shared {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.shared.taken();
        taken.all = taken.all.saturating_sub(1);
        give_back(&mut taken.by_tenant, &self.tenant);
        give_back(&mut taken.by_credential, &self.credential);
        gauge!("palaver_event_streams_open").set(taken.all as f64);
    }
}

/// Who has none left is forgotten.
fn give_back<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use palaver_domain::{Actor, AppId, identity::AppState};

    use super::*;
    use crate::auth::AppCaller;

    fn of(tenant: u8, token: &str) -> Principal {
        Principal::App(AppCaller {
            tenant: AccountId::from_bytes([tenant; 12]),
            app: AppId::default(),
            actor: Actor::system("test"),
            permissions: AppState::PERMISSIONS,
            credential: CredentialHash::of(token),
        })
    }

    #[test]
    fn each_limit_holds_and_a_place_that_is_given_back_can_be_taken_again() {
        let places = Places::new(StreamLimits { all: 5, per_tenant: 3, per_credential: 2 });
        let code = |principal: &Principal| places.take(principal).map(drop).map_err(|error| error.code);
        let (_one, two) = (places.take(&of(1, "a")).unwrap(), places.take(&of(1, "a")).unwrap());
        assert_eq!(code(&of(1, "a")), Err(ErrorCode::TooManyStreamsError), "of the token");
        let _three = places.take(&of(1, "b")).unwrap();
        assert_eq!(code(&of(1, "b")), Err(ErrorCode::TooManyStreamsError), "of the account");
        let _more = [places.take(&of(2, "c")).unwrap(), places.take(&of(2, "c")).unwrap()];
        assert_eq!(code(&of(3, "d")), Err(ErrorCode::ServiceUnavailableError), "of the process");
        drop(two);
        assert_eq!(code(&of(3, "d")), Ok(()));
        assert_eq!(code(&of(1, "a")), Ok(()));
    }

    #[test]
    fn nobody_is_remembered_who_has_no_stream() {
        let places = Places::new(StreamLimits { all: 5, per_tenant: 3, per_credential: 2 });
        let taken = [places.take(&of(1, "a")).unwrap(), places.take(&of(1, "b")).unwrap()];
        assert_eq!(places.0.taken().by_credential.len(), 2);
        drop(taken);
        let taken = places.0.taken();
        assert_eq!((taken.all, taken.by_tenant.len(), taken.by_credential.len()), (0, 0, 0));
    }
}
