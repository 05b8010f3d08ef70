use palaver_domain::identity::Role;
use serde_json::json;

use super::{PASSWORD, listed, path};
use crate::shared;

#[tokio::test]
async fn a_deleted_user_is_out_at_once_and_their_posts_stay() {
    let service = shared().await;
    let account = service.account("Deleted").await;
    let admin = account.admin();
    let user = account.as_role(Role::Editor).await;
    account.set_password(&user, PASSWORD).await;
    let channel = admin.sandbox("News").await;
    let post = user.draft(&channel, "hello").await;
    let gone = admin.delete(&path(&user)).key("gone").await;
    assert_eq!((gone.status, gone.body.as_str()), (204, Some("")));
    user.get("/api2/channels").await.is(401, "AccessTokenInvalidError");
    assert!(!account.has_password(&user.id().to_string(), PASSWORD).await);
    assert!(listed(admin, &user).await.is_null());
    assert_eq!(admin.read(&post).await["author"], json!(user.id()));
    assert!(admin.delete(&path(&user)).key("gone").await.ok().replayed());
    admin.delete(&path(&user)).await.is(404, "NotFoundError");
    admin.patch(&path(&user)).json(json!({ "firstName": "Ann" })).await.is(404, "NotFoundError");
    // Nobody can be asked to do something who is not there.
    let assigned = admin.patch(&format!("/api2/cp/posts/{post}")).json(json!({ "assignee": user.id() })).await;
    assert_eq!(assigned.is(400, "ValidationError").body["errors"], json!({ "assignee": ["unknownUser"] }));
}

#[tokio::test]
async fn nobody_deletes_themselves_or_somebody_who_may_do_more() {
    let service = shared().await;
    let account = service.account("Undeleted").await;
    let admin = account.admin();
    let (user, operator) = (account.as_role(Role::Smm).await, account.as_role(Role::SuperAdmin).await);
    user.delete(&path(admin)).await.is(403, "InsufficientPermissions");
    admin.delete(&path(admin)).await.is(403, "AccessDenied");
    admin.delete(&path(&operator)).await.is(403, "AccessDenied");
    let refused = operator.delete(&path(admin)).await.is(409, "ConflictError");
    assert!(refused.text("message").contains("administrator"), "{}", refused.body);
    let second = account.as_role(Role::Admin).await;
    operator.delete(&path(admin)).await.ok();
    operator.delete(&path(&second)).await.is(409, "ConflictError");
    second.delete(&path(&user)).await.ok();
}

#[tokio::test]
async fn two_administrators_never_delete_each_other_at_once() {
    let service = shared().await;
    for _ in 0..5 {
        let account = service.account("Duel").await;
        let (one, other) = (account.admin(), account.as_role(Role::Admin).await);
        let (one_path, other_path) = (path(one), path(&other));
        let (first, second) =
            tokio::join!(async { one.delete(&other_path).await }, async { other.delete(&one_path).await },);
        let gone = [&first, &second].into_iter().filter(|answer| answer.status == 204).count();
        assert_eq!(gone, 1, "{} {} / {} {}", first.status, first.body, second.status, second.body);
    }
}
