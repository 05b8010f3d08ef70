//! A fork is there to be looked at. What would change something is refused before it is even understood; whatever got
//! past this would be refused by the log, and by the database.

use axum::http::Method;
use palaver_eventstore::Fork;

use super::{ApiError, ErrorCode};

/// Routes that read, although their method is that of a change: their filters are too long for a query.
const READ_BY_POST: [&str; 3] =
    ["/api2/cp/posts", "/api2/cp/posts/aggregates/day", "/api2/cp/posts/aggregates/day/list"];
/// Routes that change something, although their method is that of a read. Who looks at the past puts that into the log.
const CHANGE_BY_GET: [&str; 4] =
    ["/api2/users/logout", "/api2/users/keycloak/{realm}/login", "/audit/{type}/{id}", "/audit/{type}/{id}/diff"];

/// # Errors
/// `ForkIsReadOnly` when there is a fork, and the route changes something.
pub(super) fn check(fork: Option<&Fork>, method: &Method, path: &str) -> Result<(), ApiError> {
    match fork {
        Some(fork) if changes(method, path) => {
            let until = fork.until;
            let message =
                format!("this is a fork of the log up to position {until}, a place to look: it takes no changes");
            Err(ApiError::new(ErrorCode::ForkIsReadOnly, message))
        }
        _ => Ok(()),
    }
}

fn changes(method: &Method, path: &str) -> bool {
    if method.is_safe() { CHANGE_BY_GET.contains(&path) } else { !READ_BY_POST.contains(&path) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permissions::ROUTES;

    #[test]
    fn the_exceptions_are_routes() {
        for (method, paths) in [("POST", &READ_BY_POST[..]), ("GET", &CHANGE_BY_GET[..])] {
            for path in paths {
                assert!(ROUTES.iter().any(|route| (route.method, route.path) == (method, *path)), "{method} {path}");
            }
        }
    }

    #[test]
    fn only_a_fork_refuses_and_only_what_changes_something() {
        let fork = Fork { source: "elsewhere".to_owned(), until: 7, forked_at: chrono::DateTime::UNIX_EPOCH };
        let refused = |method: &Method, path| check(Some(&fork), method, path).is_err();
        for path in READ_BY_POST {
            assert!(!refused(&Method::POST, path) && !refused(&Method::GET, path), "{path}");
        }
        for path in CHANGE_BY_GET {
            assert!(refused(&Method::GET, path) && refused(&Method::HEAD, path), "{path}");
        }
        assert!(refused(&Method::DELETE, "/api2/cp/posts/{id}") && !refused(&Method::GET, "/api2/cp/posts/{id}"));
        let error = check(Some(&fork), &Method::POST, "/api2/users/login").unwrap_err();
        assert_eq!(error.code, ErrorCode::ForkIsReadOnly);
        assert!(error.message.contains("position 7"), "{error}");
        assert!(check(None, &Method::POST, "/api2/users/login").is_ok());
    }
}
