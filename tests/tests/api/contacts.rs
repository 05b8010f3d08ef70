//! `/api2/contacts`.

use palaver_domain::identity::Role;
use palaver_tests::Client;
use serde_json::{Value, json};

use crate::shared;

const PATH: &str = "/api2/contacts";

async fn create(client: &Client, email: &str) -> Value {
    let made = client.post(PATH).json(json!({ "email": email })).await;
    assert_eq!(made.status, 200);
    let list = made.body.as_array().unwrap().clone();
    assert_eq!(list.len(), 1, "{}", made.body);
    list[0].clone()
}

async fn emails(client: &Client, query: &str) -> Vec<String> {
    let listed = client.get(&format!("{PATH}?{query}")).await.ok().body;
    listed.as_array().unwrap().iter().map(|one| one["email"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn contacts_are_kept_listed_and_forgotten() {
    let service = shared().await;
    let account = service.account("Contacts").await;
    let (smm, cm) = (account.as_role(Role::Smm).await, account.as_role(Role::Cm).await);
    assert_eq!(emails(&cm, "").await, [""; 0]);
    let mut made = Vec::new();
    for email in ["cleo@example.com", "Ann@Example.com", "bob@example.com"] {
        let contact = create(&smm, email).await;
        assert_eq!(contact, json!({ "_id": contact["_id"], "email": email }));
        made.push(contact);
    }
    // In the order they were made; whoever else asks for the position sees them as well.
    let listed = smm.get(PATH).await.ok().body;
    assert_eq!(listed, json!(made));
    assert_eq!(emails(&smm, "count=2").await, ["cleo@example.com", "Ann@Example.com"]);
    assert_eq!(emails(&smm, "offset=1&count=1").await, ["Ann@Example.com"]);
    assert_eq!(emails(&smm, "offset=3").await, [""; 0]);
    assert_eq!(emails(&smm, "count=0").await, [""; 0]);

    let path = format!("{PATH}/{}", made[1]["_id"].as_str().unwrap());
    let gone = smm.delete(&path).await;
    assert_eq!((gone.status, gone.body.as_str()), (204, Some("")));
    assert_eq!(cm.get(PATH).after(gone.position()).await.ok().body, json!([made[0], made[2]]));
    smm.delete(&path).await.is(404, "NotFoundError");
    // Its address is free again, under an id of its own; an id that the client brings is not looked at.
    let id = made[1]["_id"].clone();
    let again = smm.post(PATH).json(json!({ "_id": id, "email": "ann@example.com" })).await.ok().body;
    assert!(again[0]["_id"] != id && again[0]["email"] == "ann@example.com", "{again}");
}

#[tokio::test]
async fn an_address_is_there_once_and_an_address() {
    let service = shared().await;
    let (account, other) = (service.account("Addresses").await, service.account("Other addresses").await);
    let admin = account.admin();
    create(admin, "ann@example.com").await;
    for email in ["ann@example.com", "ANN@example.com"] {
        let refused = admin.post(PATH).json(json!({ "email": email })).await.is(400, "ValidationError");
        assert_eq!(refused.body["errors"], json!({ "email": ["notUnique"] }));
    }
    // What another account has is nobody's business.
    let theirs = create(other.admin(), "ann@example.com").await;
    let path = format!("{PATH}/{}", theirs["_id"].as_str().unwrap());
    admin.delete(&path).await.is(404, "NotFoundError");
    assert_eq!(emails(admin, "").await, ["ann@example.com"]);
    assert_eq!(emails(other.admin(), "").await, ["ann@example.com"]);

    for email in ["", "ann", "Ann <ann@example.com>", "ann@example", "a@example.com\r\nBcc: b@example.com"] {
        let refused = admin.post(PATH).json(json!({ "email": email })).await.is(400, "ValidationError");
        assert_eq!(refused.body["errors"], json!({ "email": ["invalidEmail"] }), "{email:?}");
    }
    for body in [json!({}), json!({ "email": null }), json!({ "email": 7 }), json!({ "email": ["ann@example.com"] })] {
        admin.post(PATH).json(body).await.is(400, "BadRequestError");
    }
    admin.get(&format!("{PATH}?count=501")).await.is(400, "BadRequestError");
    admin.get(&format!("{PATH}?search=ann")).await.is(400, "BadRequestError");
    admin.delete(&format!("{PATH}/ann")).await.is(400, "BadRequestError");
}

#[tokio::test]
async fn the_same_key_keeps_a_contact_once() {
    let service = shared().await;
    let account = service.account("Repeated contacts").await;
    let admin = account.admin();
    let send = || admin.post(PATH).json(json!({ "email": "ann@example.com" })).key("once");
    let (first, second) = (send().await.ok(), send().await.ok());
    assert_eq!((&first.body, second.replayed()), (&second.body, true));
    let missing = account.as_role(Role::Editor).await;
    missing.get(PATH).await.is(403, "InsufficientPermissions");
    account
        .as_role(Role::Cm)
        .await
        .post(PATH)
        .json(json!({ "email": "bob@example.com" }))
        .await
        .is(403, "InsufficientPermissions");
    assert_eq!(emails(admin, "").await, ["ann@example.com"]);
}
