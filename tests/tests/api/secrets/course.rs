//! A conversation with the service: what went over the wire, and what it was meant to tell.

use std::sync::Arc;

use palaver_eventstore::{
    clock::SystemClock,
    ids::SystemIds,
    vault::{SecretRef, Vault},
};
use palaver_tests::{Account, Answer, Client, MASTER_KEY, Request, Service, SmtpServer, eventually};
use serde_json::json;

use super::traces::{Heard, Traces};

/// What was sent and heard so far.
pub struct Course {
    pub service: Service,
    pub account: Account,
    pub anonymous: Client,
    pub mail: SmtpServer,
    pub traces: Traces,
    pub heard: Vec<Heard>,
}

impl Course {
    /// Sends a request whose answer may tell nothing.
    pub async fn ask(&mut self, asked: &str, request: Request) -> Answer {
        let answer = request.await;
        self.heard.push(Heard { asked: asked.to_owned(), answer: answer.clone(), tells: Vec::new() });
        answer
    }

    /// Sends a request whose answer tells what `secrets` finds in it, and nothing else.
    pub async fn ask_for(&mut self, asked: &str, request: Request, secrets: impl Fn(&Answer) -> Vec<String>) -> Answer {
        let answer = request.await;
        assert!((200..300).contains(&answer.status), "{asked}: {}", answer.body);
        let tells = secrets(&answer);
        assert!(tells.iter().all(|secret| secret.len() > 20), "{asked}: {}", answer.body);
        tells.iter().for_each(|secret| self.traces.secret(secret));
        self.heard.push(Heard { asked: asked.to_owned(), answer: answer.clone(), tells });
        answer
    }

    /// The one-time token of the newest mail to somebody.
    pub async fn mailed(&mut self, recipient: &str) -> String {
        let token = eventually("a mail with a link", || async {
            let to = format!("RCPT TO:<{recipient}>");
            let sent =
                self.mail.conversations().into_iter().rev().find(|one| one.taken && one.commands.contains(&to))?;
            // Quoted-printable folds its lines, and writes `=` as `=3D`.
            let content = sent.content?.replace("=\r\n", "").replace("=3D", "=");
            let (_, after) = content.split_once("#token=")?;
            Some(after.chars().take_while(char::is_ascii_alphanumeric).collect::<String>())
        })
        .await;
        assert_eq!(token.len(), 64, "{token}");
        self.traces.secret(&token);
        token
    }

    /// Logs in at `/api2`, which must succeed. Returns whom that makes.
    pub async fn log_in(&mut self, name: &str, password: &str) -> Client {
        let request = self.anonymous.post("/api2/users/login").json(json!({ "username": name, "password": password }));
        let answer = self.ask_for(&format!("log in {name}"), request.key("a-login"), session).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
        self.anonymous.with_token(answer.header("accesstoken").unwrap())
    }

    /// What the vault keeps for the account, of the reference in the events of a stream.
    pub async fn kept(&self, stream: &str, field: &str) -> Vec<String> {
        let pool = self.service.pool().await;
        let vault = Vault::new(pool.clone(), MASTER_KEY.parse().unwrap(), Arc::new(SystemClock), Arc::new(SystemIds));
        let payloads: Vec<String> = sqlx::query_scalar("SELECT payload::text FROM events WHERE aggregate_id = $1")
            .bind(stream)
            .fetch_all(&pool)
            .await
            .unwrap();
        let mut kept = Vec::new();
        for payload in payloads {
            for part in payload.split(&format!("\"{field}\":\"")).skip(1) {
                let reference: SecretRef = part.split('"').next().unwrap().parse().unwrap();
                if let Ok(secret) = vault.get(self.account.id, reference).await {
                    kept.push(String::from_utf8_lossy(secret.expose()).into_owned());
                }
            }
        }
        kept
    }
}

/// The token of the session that an answer opens.
pub fn session(answer: &Answer) -> Vec<String> {
    vec![answer.header("accesstoken").expect("a login tells its token").to_owned()]
}
