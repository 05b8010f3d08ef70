//! `/api2/users/keycloak/{realm}/login`: where an account's own Keycloak sends its users back to.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::IntoResponse,
};
use palaver_commands::identity::Device;
use palaver_domain::{
    AccountId,
    identity::{Keycloak as Linked, UserState},
};
use palaver_eventstore::vault::SecretRef;
use palaver_projections::{accounts, users};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::session::closed;
use crate::{
    auth::keycloak::{Identity, Keycloak, KeycloakError, Realm},
    http::{ApiError, ErrorBody, ErrorCode, PathId, Query, chain},
    socialhub::{Socialhub, SocialhubState},
};

/// Characters of a code, and of whatever else comes with it.
const CODE_CHARS_MAX: usize = 1_024;
const RETRY_AFTER_S: u32 = 5;

/// What Keycloak appends to the address.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::socialhub) struct Returned {
    #[param(pattern = "^[a-f0-9-.]+$", max_length = 1024)]
    code: String,
    #[param(pattern = "^[a-f0-9-]+$", max_length = 1024)]
    session_state: Option<String>,
    /// The realm's address, which must be the one that was asked (RFC 9207).
    iss: Option<String>,
}

impl Returned {
    fn check(&self) -> Result<(), ApiError> {
        let digits = |text: &str, more: &str| {
            !text.is_empty()
                && text.len() <= CODE_CHARS_MAX
                && text.chars().all(|char| matches!(char, 'a'..='f' | '0'..='9') || more.contains(char))
        };
        if !digits(&self.code, "-.") {
            return Err(ApiError::bad_request("`code` is not one of Keycloak's"));
        }
        if self.session_state.as_deref().is_some_and(|state| !digits(state, "-")) {
            return Err(ApiError::bad_request("`session_state` is not one of Keycloak's"));
        }
        Ok(())
    }
}

/// Log in by the account's own Keycloak.
///
/// The realm of an account has a client `palaver`, whose redirect address this is. A user is found by their user name,
/// else by their verified mail address, within that account alone. The realm asks for second factors, not Palaver.
/// Those who run the service do not log in by what an account's administrator has set up. The login is not bound to the
/// browser that began it, as no `state` is sent along: a link can log somebody in as the one who made it.
#[utoipa::path(get, path = "/api2/users/keycloak/{realm}/login", tag = "users", operation_id = "loginByKeycloak",
    params(("realm" = String, Path, description = "The realm that the account is linked with."), Returned),
    responses((status = 302, description = "The session's token is in the cookie `accesstoken`."),
        (status = 400, description = "The code is not one of Keycloak's.", body = ErrorBody),
        (status = 403, description = "The realm does not vouch for a user of the account.", body = ErrorBody),
        (status = 404, description = "No account is linked with the realm, or no Keycloak is configured.",
            body = ErrorBody),
        (status = 503, description = "Keycloak is away, too slow, or does not answer as it should.",
            body = ErrorBody)))]
pub(in crate::socialhub) async fn login(
    State(state): State<SocialhubState>,
    PathId(realm): PathId<String>,
    Query(returned): Query<Returned>,
) -> Result<impl IntoResponse, ApiError> {
    returned.check()?;
    let keycloak = state
        .keycloak
        .as_ref()
        .ok_or_else(|| ApiError::not_found("nobody logs in by Keycloak here: the setting `keycloak_url` names none"))?;
    let (account, linked) = state.linked(&realm).await?;
    let identity = state.identity(keycloak, account, &linked, &returned).await?;
    let Some(user) = state.vouched_for(account, &identity).await? else {
        tracing::info!(%account, "a realm vouches for nobody of its account");
        return Err(denied());
    };
    let sessions = state.commander.sessions();
    sessions.open_account(&user).await?.ok_or_else(closed)?;
    let opened = sessions.let_in(&user, Device::default(), false).await?;
    let home = HeaderValue::from_str(&state.public_url).map_err(|error| ApiError::internal(&error))?;
    Ok((StatusCode::FOUND, state.handed_over(&opened).await?, [(header::LOCATION, home)], ()))
}

/// One answer, whatever is wrong; what it is stands in the log.
fn denied() -> ApiError {
    ApiError::new(ErrorCode::AccessDenied, "Keycloak does not vouch for a user of this account; log in there again")
}

impl Socialhub {
    /// The account that is linked with a realm.
    async fn linked(&self, realm: &str) -> Result<(AccountId, Linked), ApiError> {
        let unknown = || ApiError::not_found("no account is linked with this realm");
        // Whoever logs in right after the link was made knows of no read models.
        self.newest(&["accounts"]).await?;
        let found = accounts::linked_with_realm(&self.pool, realm).await?;
        let account = match found.as_slice() {
            [] => return Err(unknown()),
            [one] => *one,
            // Nobody can tell whose users these are.
            _ => {
                tracing::warn!("several accounts are linked with one realm, so nobody logs in by it");
                return Err(denied());
            }
        };
        // As the log has it, lest a link that was just cut still lets somebody in.
        let state = self.commander.sessions().account(account).await?;
        let linked = state.and_then(|state| state.keycloak).filter(|linked| linked.realm == realm);
        Ok((account, linked.ok_or_else(unknown)?))
    }

    async fn identity(
        &self,
        keycloak: &Keycloak,
        account: AccountId,
        linked: &Linked,
        returned: &Returned,
    ) -> Result<Identity, ApiError> {
        if returned.iss.as_ref().is_some_and(|issuer| *issuer != keycloak.issuer(&linked.realm)) {
            return Err(denied());
        }
        let secret = match &linked.secret_ref {
            Some(reference) => Some(self.realm_secret(account, reference).await?),
            None => None,
        };
        let realm = Realm {
            name: &linked.realm,
            secret: secret.as_ref().map(|secret| secret.as_str()),
            public_key: linked.pub_key.as_deref(),
        };
        let here = format!("{}/api2/users/keycloak/{}/login", self.public_url, Keycloak::segment(&linked.realm));
        let now = self.commander.clock().now();
        keycloak.identify(&realm, &returned.code, &here, now).await.map_err(|error| match error {
            KeycloakError::Refused(_) | KeycloakError::Key(_) => {
                tracing::info!(%account, cause = %chain(&error), "nobody was logged in by Keycloak");
                denied()
            }
            error => {
                tracing::warn!(%account, cause = %chain(&error), "Keycloak was no help");
                ApiError::unavailable("Keycloak does not answer as it should; log in there again", RETRY_AFTER_S)
            }
        })
    }

    async fn realm_secret(&self, account: AccountId, reference: &str) -> Result<Zeroizing<String>, ApiError> {
        let reference = reference.parse::<SecretRef>().map_err(|error| ApiError::internal(&error))?;
        let secret = self.secrets.vault.get(account, reference).await.map_err(|error| ApiError::internal(&error))?;
        let text = str::from_utf8(secret.expose()).map_err(|error| ApiError::internal(&error))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// The user of the account that an identity is, if they may log in by it.
    async fn vouched_for(&self, account: AccountId, identity: &Identity) -> Result<Option<UserState>, ApiError> {
        let sessions = self.commander.sessions();
        let named = match &identity.preferred_username {
            Some(name) => sessions.user_named(name).await?.filter(|user| user.account_id == account),
            None => None,
        };
        let user = match (named, &identity.email) {
            (Some(named), _) => sessions.able_user(account, named.id).await?,
            (None, Some(email)) if identity.email_verified => self.with_email(account, email).await?,
            (None, _) => None,
        };
        // Who may look into every account is not made by the administrator of one.
        Ok(user.filter(|user| !user.role.is_operator()))
    }

    async fn with_email(&self, account: AccountId, email: &str) -> Result<Option<UserState>, ApiError> {
        self.newest(&["users"]).await?;
        let Some(id) = users::only_with_email(&self.pool, account, email).await? else { return Ok(None) };
        let user = self.commander.sessions().able_user(account, id).await?;
        // Who has another address by now is not who the realm means.
        let same =
            |user: &UserState| user.email.as_ref().is_some_and(|known| known.to_lowercase() == email.to_lowercase());
        Ok(user.filter(same))
    }
}
