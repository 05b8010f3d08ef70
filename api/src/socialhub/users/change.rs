//! Changes of users, by themselves and by those who look after them, and their end.

use axum::{extract::State, response::IntoResponse};
use palaver_commands::{
    CommandError,
    identity::{NewPassword, UserAnswer, UserChanges},
};
use palaver_domain::{
    AccountId, ChannelId, FieldErrors, Locale, MOBILE_DEVICE_CHARS_MAX, TeamId, UserId,
    identity::{Details, MobileDevice, Permission, Permissions},
};
use palaver_eventstore::vault::SecretRef;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{check, editor, render, schemas, wrong};
use crate::{
    auth::Caller,
    http::{ApiError, ErrorBody, Json, PathId, chain},
    socialhub::{
        Socialhub, SocialhubState,
        context::{Asked, gone, written},
    },
};

/// Some of a user. What is left out, or `null`, stays as it is.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UserPatch)]
pub(in super::super) struct Asking {
    email: Option<String>,
    #[schema(min_length = 1, max_length = 254)]
    first_name: Option<String>,
    #[schema(min_length = 1, max_length = 254)]
    last_name: Option<String>,
    #[schema(max_length = 50)]
    phone: Option<String>,
    role: Option<String>,
    /// `en`, `de` or `fr`.
    locale: Option<String>,
    #[schema(min_length = 10, max_length = 128)]
    password: Option<String>,
    /// Required with `password` of oneself.
    old_password: Option<String>,
    /// The client's own; what was there goes.
    #[schema(value_type = Option<Object>)]
    settings: Option<Map<String, Value>>,
    #[schema(value_type = Option<Vec<String>>)]
    read_only_channel_ids: Option<Vec<ChannelId>>,
    #[schema(value_type = Option<Vec<String>>)]
    teams: Option<Vec<TeamId>>,
    /// A device of one's own.
    mobile_device: Option<Device>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = MobileDevice)]
struct Device {
    #[schema(max_length = 512)]
    id: String,
    #[schema(max_length = 512)]
    token: String,
}

impl Asking {
    /// What is to change, and the token of a device, which is a secret.
    fn read(self) -> Result<(UserChanges, Option<Device>), ApiError> {
        let mut errors = FieldErrors::new();
        let role = self.role.map(|role| role.parse().map_err(|_| wrong(&mut errors, "role", "invalidRole")));
        let locale: Option<Result<Locale, ()>> =
            self.locale.map(|locale| locale.parse().map_err(|_| wrong(&mut errors, "locale", "invalidLocale")));
        if let Some(device) = &self.mobile_device {
            if device.token.is_empty() {
                wrong(&mut errors, "mobileDevice.token", "required");
            }
            if device.token.chars().count() > MOBILE_DEVICE_CHARS_MAX {
                wrong(&mut errors, "mobileDevice.token", "tooLong");
            }
        }
        if self.old_password.is_some() && self.password.is_none() {
            wrong(&mut errors, "password", "required");
        }
        check(errors)?;
        let changes = UserChanges {
            details: Details {
                email: self.email,
                first_name: self.first_name,
                last_name: self.last_name,
                phone: self.phone,
                locale: locale.and_then(Result::ok),
            },
            settings: self.settings,
            role: role.and_then(Result::ok),
            read_only_channel_ids: self.read_only_channel_ids,
            team_ids: self.teams,
            password: self.password.map(|password| NewPassword { password, old_password: self.old_password }),
            mobile_device: None,
        };
        Ok((changes, self.mobile_device))
    }
}

/// Change a user. All of it changes, or nothing.
#[utoipa::path(patch, path = "/api2/users/{userId}", tag = "users", operation_id = "changeUser",
    params(("userId" = String, Path, description = "The user's id.")), request_body = Asking,
    responses((status = 200, description = "The user.", body = schemas::User),
        (status = 400, description = "A value is not valid.", body = ErrorBody),
        (status = 403, description = "The user is not the caller's to change.", body = ErrorBody),
        (status = 404, description = "There is no such user.", body = ErrorBody),
        (status = 409, description = "The user can not be changed like this; `data.failed` has all the reasons.", body = schemas::InvalidUserUpdate),
        (status = 429, description = "Too many wrong passwords.", body = ErrorBody)))]
pub(in super::super) async fn patch(
    State(state): State<SocialhubState>,
    caller: Caller,
    asked: Asked,
    PathId(id): PathId<UserId>,
    Json(body): Json<Asking>,
) -> Result<impl IntoResponse, ApiError> {
    let (mut changes, device) = body.read()?;
    let mut tokens_before = Vec::new();
    if let Some(device) = device {
        tokens_before = tokens(&state.commander.user(&asked.context, id).await?);
        let token_ref = state.keep_token(caller.tenant, &device.token).await?.to_string();
        tokens_before.push(token_ref.clone());
        changes.mobile_device = Some(MobileDevice { id: device.id, token_ref });
    }
    let new_token = tokens_before.last().cloned();
    let administrators = match changes.role {
        Some(_) => state.administrators(caller.tenant).await?,
        None => Vec::new(),
    };
    let changed = state.commander.update_user(&asked.context, &editor(&caller), id, changes, &administrators).await;
    let unnamed = match &changed {
        // Of a device's tokens, and of too many devices, the newest are kept.
        Ok(outcome) if !outcome.replayed => {
            let named = tokens(&outcome.value);
            tokens_before.into_iter().filter(|token| !named.contains(token)).collect()
        }
        Ok(_) | Err(CommandError::Refused(_)) => Vec::from_iter(new_token),
        // It may have been written.
        Err(_) => Vec::new(),
    };
    for token_ref in unnamed {
        state.forget_secret(caller.tenant, &token_ref).await;
    }
    let outcome = changed?;
    state.took_effect(&outcome).await?;
    Ok((written(&outcome), Json(render(&outcome.value))))
}

/// What names the tokens of a user's devices.
fn tokens(answer: &UserAnswer) -> Vec<String> {
    answer.user.mobile_devices.iter().map(|device| device.token_ref.clone()).collect()
}

/// Permissions, chosen one by one.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = UserPermissionsPatch)]
pub(in super::super) struct Choice {
    permissions: Vec<String>,
    /// Where somebody goes who was an administrator.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    teams: Option<Vec<TeamId>>,
}

/// Choose the permissions of a user, whose role is `CUSTOM` then.
#[utoipa::path(patch, path = "/api2/users/{userId}/permissions", tag = "users", operation_id = "changeUserPermissions",
    params(("userId" = String, Path, description = "The user's id.")), request_body = Choice,
    responses((status = 200, description = "The user.", body = schemas::User),
        (status = 400, description = "Something that is no permission, or one that can not be chosen.", body = ErrorBody),
        (status = 403, description = "Oneself, or more than the caller holds.", body = ErrorBody),
        (status = 404, description = "There is no such user.", body = ErrorBody),
        (status = 409, description = "The account lacks what a permission is about, or the user would have no team.", body = ErrorBody)))]
pub(in super::super) async fn permissions(
    State(state): State<SocialhubState>,
    caller: Caller,
    asked: Asked,
    PathId(id): PathId<UserId>,
    Json(choice): Json<Choice>,
) -> Result<impl IntoResponse, ApiError> {
    let mut errors = FieldErrors::new();
    let mut read = |(at, text): (usize, &String)| -> Option<Permission> {
        let permission = text.parse().ok();
        if permission.is_none() {
            wrong(&mut errors, &format!("permissions.{at}"), "unknownPermission");
        }
        permission
    };
    let chosen: Permissions = choice.permissions.iter().enumerate().filter_map(&mut read).collect();
    check(errors)?;
    let administrators = state.administrators(caller.tenant).await?;
    let by = editor(&caller);
    let wanted = (chosen, choice.teams);
    let outcome = state.commander.choose_permissions(&asked.context, &by, id, wanted, &administrators).await?;
    state.took_effect(&outcome).await?;
    Ok((written(&outcome), Json(render(&outcome.value))))
}

/// Delete a user. The name is free again, and their posts stay.
#[utoipa::path(delete, path = "/api2/users/{userId}", tag = "users", operation_id = "deleteUser",
    params(("userId" = String, Path, description = "The user's id.")),
    responses((status = 204, description = "The user is gone, and not logged in any more."),
        (status = 403, description = "Oneself, or somebody who may do more.", body = ErrorBody),
        (status = 404, description = "There is no such user.", body = ErrorBody),
        (status = 409, description = "The last administrator.", body = ErrorBody)))]
pub(in super::super) async fn delete(
    State(state): State<SocialhubState>,
    caller: Caller,
    asked: Asked,
    PathId(id): PathId<UserId>,
) -> Result<impl IntoResponse, ApiError> {
    let administrators = state.administrators(caller.tenant).await?;
    let outcome = state.commander.delete_user(&asked.context, &editor(&caller), id, &administrators).await?;
    let user = &outcome.value.user;
    for secret in user.mobile_devices.iter().map(|device| &device.token_ref).chain(&user.totp) {
        state.forget_secret(caller.tenant, secret).await;
    }
    state.took_effect(&outcome).await?;
    Ok(gone(&outcome))
}

impl Socialhub {
    async fn keep_token(&self, tenant: AccountId, token: &str) -> Result<SecretRef, ApiError> {
        self.secrets.vault.put(tenant, token.as_bytes()).await.map_err(|error| ApiError::internal(&error))
    }

    /// Deletes a secret that nothing names any more. It does no harm where it is, so a failure is told to the log alone.
    async fn forget_secret(&self, tenant: AccountId, reference: &str) {
        let Ok(reference) = reference.parse() else { return };
        if let Err(error) = self.secrets.vault.delete(tenant, reference).await {
            tracing::warn!(%reference, cause = %chain(&error), "a secret that nothing names stays in the vault");
        }
    }
}
