//! What each command of the binary does, one module a command, and how it ends: the exit code is 0 when it did what
//! was asked, 2 when it was asked wrongly, 3 when what it compared differs, and 1 when it failed.

mod account;
mod bisect;
mod database;
mod demo;
mod events;
mod explain;
mod export;
mod fork;
mod history;
mod import;
mod lines;
mod mail;
mod migrate;
mod private;
mod progress;
mod projections;
mod quarantine;
mod rebuild;
mod replay;
mod resolve;
mod service;
pub(crate) mod stream;
mod streams;
mod workers;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use palaver_commands::{
    CommandError,
    mail::{MailError, SmtpMailerError},
};
use palaver_eventstore::{
    LogError,
    managed::ManagedError,
    relay::RelayError,
    timeline::UnknownAggregateType,
    transfer::TransferError,
    vault::{MasterKeyError, VaultError},
};
use palaver_projections::engine::EngineError;

use crate::{
    cli::{Cli, Command},
    contract::ContractFault,
    http::chain,
    permissions::RouteMismatch,
    server::BindError,
    settings::SettingsError,
};

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    UnknownCode(#[from] explain::UnknownCode),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{0}")]
    Misused(String),
    #[error("`{0}` needs a database that others can reach: name it by --database-url")]
    DatabaseUrlMissing(&'static str),
    #[error(
        "`{0}` shares its secrets with other processes: give all of them one PALAVER_MASTER_KEY (32 random bytes, as \
             from `openssl rand -hex 32`)"
    )]
    MasterKeyMissing(&'static str),
    #[error("the database lacks {pending} migrations of this version; run `palaver migrate`")]
    NotMigrated { pending: usize },
    #[error("{0}")]
    NotFound(String),
    #[error("{projection} is not what the log makes of it; `palaver rebuild {projection}` makes it anew")]
    ReadModelDiffers { projection: String },
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error("{0}")]
    StillQuarantined(String),
    #[error(transparent)]
    Export(#[from] export::ExportError),
    #[error(transparent)]
    Import(#[from] import::ImportError),
    #[error(transparent)]
    Managed(#[from] ManagedError),
    #[error("the database can not be used")]
    Database(#[from] sqlx::Error),
    #[error("the schema can not be brought up to date")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error(transparent)]
    UnknownAggregateType(#[from] UnknownAggregateType),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Relay(#[from] RelayError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Routes(#[from] RouteMismatch),
    #[error(transparent)]
    Contract(#[from] ContractFault),
    #[error(transparent)]
    Demo(#[from] demo::DemoError),
    #[error("the {0} has ended, and nobody told it to")]
    WorkerEnded(&'static str),
    #[error("PostgreSQL has ended: {0}")]
    PostgresEnded(String),
    #[error("the address of the private nats-server can not be used")]
    NatsAddress,
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error("mail can not be sent")]
    Mailer(#[from] SmtpMailerError),
    #[error("Keycloak can not be called")]
    Keycloak(#[from] reqwest::Error),
    #[error("logging can not be set up: {0}")]
    Telemetry(String),
    #[error("can not write to stdout")]
    Output(#[from] io::Error),
    #[error("can not {action} {path}")]
    File { action: &'static str, path: String, source: io::Error },
    #[error("can not write JSON")]
    Json(#[from] serde_json::Error),
}

impl RunError {
    const fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownCode(_)
            | Self::UnknownAggregateType(_)
            | Self::Settings(_)
            | Self::Misused(_)
            | Self::DatabaseUrlMissing(_)
            | Self::MasterKeyMissing(_) => 2,
            Self::ReadModelDiffers { .. } => 3,
            _ => 1,
        }
    }
}

/// Reads the command line, does what it says, and tells how it went.
pub fn main() -> ExitCode {
    match run(Cli::parse(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough.
        Err(RunError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            // When stderr is gone as well, the exit code is all that can be told.
            let _ = writeln!(io::stderr(), "palaver: {}", chain(&error));
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(cli: Cli, out: &mut impl Write) -> Result<(), RunError> {
    if let Command::Explain(args) = &cli.command {
        return explain::run(args, out);
    }
    let settings = cli.given.resolve()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Explain(args) => explain::run(&args, out),
            Command::Up(args) => Box::pin(service::up(&settings, &args, out)).await,
            Command::Serve => service::serve(&settings, out).await,
            Command::Work => Box::pin(service::work(&settings)).await,
            Command::Migrate => migrate::run(&settings, out).await,
            Command::History(args) => history::run(&settings, &args, out).await,
            Command::Events(args) => events::run(&settings, &args, out).await,
            Command::Bisect(args) => bisect::run(&settings, &args, out).await,
            Command::Rebuild(args) => rebuild::run(&settings, &args, out).await,
            Command::Projections(args) => projections::run(&settings, &args, out).await,
            Command::Account(args) => account::run(&settings, &args, out).await,
            Command::Resolve(args) => resolve::run(&settings, &args, out).await,
            Command::Mail(args) => {
                let command = args.command().map_err(|problem| RunError::Misused(problem.to_owned()))?;
                mail::run(&settings, &command, out).await
            }
            Command::Replay(args) => Box::pin(replay::run(&settings, &args, out)).await,
            Command::Fork(args) => Box::pin(fork::run(&settings, &args, out)).await,
            Command::Quarantine(args) => quarantine::run(&settings, &args.command, out).await,
            Command::Export(args) => Box::pin(export::run(&settings, &args, out)).await,
            Command::Streams(args) => Box::pin(streams::run(&settings, &args, out)).await,
            Command::Import(args) => Box::pin(import::run(&settings, &args, out)).await,
        }
    })
}
