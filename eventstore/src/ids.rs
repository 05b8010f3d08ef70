//! Where chance comes from: identifiers and secrets. Everything that needs them is handed an [`Ids`].

use std::{
    fmt::Debug,
    sync::{Mutex, PoisonError},
};

use rand::{RngCore, SeedableRng, rngs::StdRng};
use uuid::Uuid;

pub trait Ids: Debug + Send + Sync + 'static {
    fn fill(&self, bytes: &mut [u8]);

    fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// The bytes of a new domain id.
    fn object_id(&self) -> [u8; 12] {
        let mut bytes = [0; 12];
        self.fill(&mut bytes);
        bytes
    }

    /// 256 bits, as 64 hex digits: an access token or a key.
    fn secret(&self) -> String {
        let mut bytes = [0; 32];
        self.fill(&mut bytes);
        hex::encode(bytes)
    }
}

/// The operating system's source, safe for secrets.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rngs::OsRng.fill_bytes(bytes);
    }
}

/// The same ids for the same seed: for demos and tests, never for secrets that protect anything.
#[derive(Debug)]
pub struct SeededIds(Mutex<StdRng>);

impl SeededIds {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Ids for SeededIds {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}
