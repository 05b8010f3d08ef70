//! How the world talks to Palaver: the command line, the HTTP conventions that every surface shares, and the
//! surfaces themselves. What a request means is decided elsewhere; here it is parsed, authorised and rendered.

pub mod app;
mod audit;
pub mod auth;
mod bot_open_api;
mod bots;
pub mod cli;
pub mod contract;
pub mod events;
pub mod http;
mod mkt_x;
pub mod openapi;
mod ops;
pub mod permissions;
pub mod run;
pub mod server;
pub mod settings;
mod socialhub;
pub mod system;
pub mod telemetry;
