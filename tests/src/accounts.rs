//! Accounts and their users, made through the command layer on the service's own database.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use palaver_commands::{CommandContext, Commander, identity::NewUser};
use palaver_domain::{AccountId, TeamId, identity::Role};
use palaver_eventstore::{
    Database, EventLog, LogTasks, QUEUE_APPENDS_MAX,
    clock::SystemClock,
    ids::{Ids, SystemIds},
};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;

use crate::{Client, Endpoint, eventually};

/// An account with an administrator, as seen through one service.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: AccountId,
    admin: Client,
    options: PgConnectOptions,
    endpoint: Endpoint,
}

impl Account {
    pub(crate) async fn register(options: PgConnectOptions, endpoint: Endpoint, name: &str) -> Self {
        let door = Door::open(&options).await;
        let id = door.commander.register_account(name.to_owned()).await.unwrap().value;
        let admin = door.add_user(&endpoint, id, &user_name(Role::Admin), Role::Admin, Vec::new()).await;
        door.close().await;
        Self { id, admin, options, endpoint }
    }

    pub fn admin(&self) -> &Client {
        &self.admin
    }

    /// A new user with this role and no teams.
    pub async fn as_role(&self, role: Role) -> Client {
        self.user(role, Vec::new()).await
    }

    /// A new user with this role in these teams.
    pub async fn user(&self, role: Role, team_ids: Vec<TeamId>) -> Client {
        let door = Door::open(&self.options).await;
        let user = door.add_user(&self.endpoint, self.id, &user_name(role), role, team_ids).await;
        door.close().await;
        user
    }

    /// Somebody without a token.
    pub fn anonymous(&self) -> Client {
        Client::new(self.endpoint.clone(), None, None)
    }
}

/// A name that no other user has, in whatever account.
fn user_name(role: Role) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{}-{}@example.com", role.as_str().to_lowercase(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A way into the database beside the service, for as long as it takes.
struct Door {
    database: Database,
    commander: Commander,
    tasks: LogTasks,
}

impl Door {
    async fn open(options: &PgConnectOptions) -> Self {
        // One for the log's listener, one for what is asked.
        let database = Database::connect(options.clone(), 2).await.unwrap();
        let clock = Arc::new(SystemClock);
        let (log, tasks) = EventLog::open(database.clone(), clock.clone(), QUEUE_APPENDS_MAX).await.unwrap();
        let commander = Commander::new(log, clock, Arc::new(SystemIds));
        Self { database, commander, tasks }
    }

    /// Returns when the service's workers have heard of the user, so that the token works.
    async fn add_user(
        &self,
        endpoint: &Endpoint,
        account: AccountId,
        name: &str,
        role: Role,
        team_ids: Vec<TeamId>,
    ) -> Client {
        let context = CommandContext::system(account, "setup");
        let new = NewUser { team_ids, ..NewUser::named(name, role) };
        let user = self.commander.create_user(&context, new).await.unwrap().value;
        let token = SystemIds.secret();
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        self.commander.grant_token(account, user, &hash, None).await.unwrap();
        eventually("the new user in the read model `users`", || async {
            let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE id = $1)")
                .bind(user.to_string())
                .fetch_one(self.database.pool())
                .await
                .unwrap();
            known.then_some(())
        })
        .await;
        Client::new(endpoint.clone(), Some(token), Some(user.to_string()))
    }

    async fn close(self) {
        self.tasks.drain().await;
        self.database.close().await;
    }
}
