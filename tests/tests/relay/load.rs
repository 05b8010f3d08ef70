//! Many writers at once, beside the service and through the same command layer, so that they go on whatever becomes of
//! it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use palaver_commands::{CommandContext, Commander};
use palaver_domain::{
    AccountId, TeamId,
    identity::{Team, TeamCommand},
};
use palaver_eventstore::{
    Database, EventLog, LogTasks, QUEUE_APPENDS_MAX,
    clock::SystemClock,
    ids::{Ids, SystemIds},
};
use palaver_tests::eventually;
use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const WRITERS: usize = 8;
/// Each writer changes these in turn.
const TEAMS_PER_WRITER: usize = 5;
/// Between two commands of a writer: some hundred events a second in all.
const PAUSE: Duration = Duration::from_millis(15);

/// Writers that go on until they are told to stop.
pub struct Load {
    written: Arc<AtomicUsize>,
    stop: CancellationToken,
    writing: JoinSet<()>,
    database: Database,
    tasks: LogTasks,
}

impl Load {
    pub async fn start(options: &PgConnectOptions) -> Self {
        // One for the appender, one for the log's listener, the others for what is asked.
        let database = Database::connect(options.clone(), 4).await.unwrap();
        let clock = Arc::new(SystemClock);
        let (log, tasks) = EventLog::open(database.clone(), clock.clone(), QUEUE_APPENDS_MAX).await.unwrap();
        let commander = Commander::new(log, clock, Arc::new(SystemIds));
        let account = commander.register_account("Load".to_owned()).await.unwrap().value;
        let mut load =
            Self { written: Arc::default(), stop: CancellationToken::new(), writing: JoinSet::new(), database, tasks };
        for writer in 0..WRITERS {
            let (commander, stop, written) = (commander.clone(), load.stop.clone(), load.written.clone());
            load.writing.spawn(async move { write(&commander, account, writer, &stop, &written).await });
        }
        load
    }

    /// Commands that were carried out so far.
    pub fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }

    /// Waits until this many more are carried out.
    pub async fn more(&self, commands: usize) {
        let wanted = self.written() + commands;
        eventually("the writers write", || async { (self.written() >= wanted).then_some(()) }).await;
    }

    /// Returns when the last command is carried out.
    pub async fn stop(mut self) -> usize {
        self.stop.cancel();
        while let Some(written) = self.writing.join_next().await {
            written.unwrap();
        }
        self.tasks.drain().await;
        self.database.close().await;
        self.written.load(Ordering::Relaxed)
    }
}

async fn write(
    commander: &Commander,
    account: AccountId,
    writer: usize,
    stop: &CancellationToken,
    written: &AtomicUsize,
) {
    let context = CommandContext::system(account, "load");
    let teams: Vec<TeamId> = (0..TEAMS_PER_WRITER).map(|_| TeamId::from_bytes(SystemIds.object_id())).collect();
    for number in 0.. {
        let (id, first) = (teams[number % teams.len()], number < teams.len());
        let name = format!("Team {writer}-{number}");
        let done = commander.run(&context, move |work| {
            let command = if first {
                TeamCommand::Create { id, account_id: account, name: name.clone() }
            } else {
                TeamCommand::Rename { name: name.clone() }
            };
            async move { work.handle::<Team>(id, command).await.map(drop) }.boxed()
        });
        done.await.unwrap();
        written.fetch_add(1, Ordering::Relaxed);
        if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
            return;
        }
    }
}
