//! How a list is paged on the socialhub surface: `offset` and `count`, in the query or in a filter body.
//!
//! Source: seed 003, `pagingOffset` and `pagingCount`, which state no bounds; where it bounds a `count` elsewhere,
//! it is 0 to 500. The default of 50 is ours.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::Deserialize;

use super::{ApiError, Query};

pub const COUNT_DEFAULT: i64 = 50;
pub const COUNT_MAX: i64 = 500;
/// The database walks over what is skipped, so skipping has an end. Filter by time to go further back.
pub const OFFSET_MAX: i64 = 100_000;

/// A checked page. Also an extractor of the query's `offset` and `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    pub offset: i64,
    pub count: i64,
}

impl Paging {
    /// # Errors
    /// `BadRequestError` that names the bound, when one is broken.
    pub fn new(offset: Option<i64>, count: Option<i64>) -> Result<Self, ApiError> {
        let bounded = |name: &str, value: i64, max: i64| {
            if (0..=max).contains(&value) {
                return Ok(value);
            }
            Err(ApiError::bad_request(format!("`{name}` must be between 0 and {max}, is {value}")))
        };
        Ok(Self {
            offset: bounded("offset", offset.unwrap_or(0), OFFSET_MAX)?,
            count: bounded("count", count.unwrap_or(COUNT_DEFAULT), COUNT_MAX)?,
        })
    }
}

#[derive(Deserialize)]
struct Asked {
    offset: Option<i64>,
    count: Option<i64>,
}

impl<S: Sync> FromRequestParts<S> for Paging {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let asked = Query::<Asked>::parse_leniently(parts.uri.query().unwrap_or_default())?;
        Self::new(asked.offset, asked.count)
    }
}
