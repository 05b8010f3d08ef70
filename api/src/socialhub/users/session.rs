//! What every way to log in ends with: a session, told by header and cookie; or a refusal that tells as little as it can.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse, IntoResponseParts},
};
use chrono::{DateTime, Utc};
use palaver_commands::identity::Opened;

use crate::{
    auth::{ACCESSTOKEN, cookie},
    http::{ApiError, ErrorCode},
    socialhub::Socialhub,
};

impl Socialhub {
    /// Whether browsers reach this service by HTTPS, so that cookies need not go any other way.
    pub(super) fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// The headers that hand over a session.
    pub(super) async fn handed_over(&self, opened: &Opened) -> Result<impl IntoResponseParts + use<>, ApiError> {
        // A token works once its user is read. Who was made a moment ago may not be yet; then it works a moment later.
        self.newest(&["users"]).await?;
        let mut token = HeaderValue::from_str(&opened.token).map_err(|error| ApiError::internal(&error))?;
        token.set_sensitive(true);
        let cookie = cookie::keep(&opened.token, opened.lifetime, self.is_secure())?;
        Ok(AppendHeaders([(HeaderName::from_static(ACCESSTOKEN), token), (header::SET_COOKIE, cookie)]))
    }

    /// 204 with a session.
    pub(super) async fn let_in(&self, opened: &Opened) -> Result<impl IntoResponse + use<>, ApiError> {
        Ok((StatusCode::NO_CONTENT, self.handed_over(opened).await?, ()))
    }

    /// Waits until these read models have what is written now, or for as long as a read waits.
    pub(super) async fn newest(&self, projections: &[&'static str]) -> Result<(), ApiError> {
        let head = self.commander.log().head().await.map_err(palaver_commands::CommandError::from)?;
        self.projections.wait_for(projections, head, self.read_wait).await;
        Ok(())
    }
}

/// Who may not pass, for whatever reason, hears the same.
pub(super) fn wrong(message: &str) -> ApiError {
    ApiError::new(ErrorCode::AccessTokenInvalidError, message)
}

/// Whether there is a user of that name or not.
pub(super) fn locked(until: DateTime<Utc>, now: DateTime<Utc>) -> ApiError {
    let seconds = (until - now).num_seconds().max(0) + 1;
    ApiError::new(ErrorCode::AccessDenied, "too many failed logins; try again later")
        .retry_after(u32::try_from(seconds).unwrap_or(u32::MAX))
}

pub(super) fn closed() -> ApiError {
    ApiError::new(ErrorCode::AccessDenied, "the account has come to its end; ask whoever sold it to you")
}
