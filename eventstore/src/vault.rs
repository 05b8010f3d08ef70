//! Secrets (passwords, OAuth tokens, webhook secrets) at rest: sealed under a master key, kept in a table of their own,
//! named by reference from events. What a secret is for, and who may ask for it, is decided elsewhere; so is where
//! else the same seal is used.
//!
//! Sealing is XChaCha20-Poly1305 with a random nonce. The tenant and the reference are authenticated along with the
//! secret, so a row that is altered or moved does not open.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use base64::{Engine, alphabet, engine};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use palaver_domain::AccountId;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{clock::Clock, ids::Ids};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const KEY_ID_BYTES: usize = 8;
/// Secrets are credentials, not documents.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;
/// A key file holds 64 digits and a line's end; anything much longer is some other file.
const KEY_FILE_BYTES_MAX: u64 = 1024;

/// Names a secret; worth nothing without the vault, so it may stand in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretRef(Uuid);

impl From<Uuid> for SecretRef {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl SecretRef {
    /// As tables hold it.
    pub const fn id(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SecretRef {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// A secret in the clear: wiped from memory when dropped, never printed.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error("a master key is 32 bytes, written as 64 hex digits or as base64")]
    Malformed,
    #[error("{} does not hold a master key: 32 bytes, written as 64 hex digits or as base64", path.display())]
    MalformedFile { path: PathBuf },
    #[error(
        "the master key in {} can be read by others (mode {mode:04o}); close it with `chmod 600 {}`, and consider the \
         key known",
        path.display(), path.display()
    )]
    Open { path: PathBuf, mode: u32 },
    #[error("cannot {action} the master key in {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

/// What everything in the vault is sealed under. Whoever loses it loses the secrets; keep a copy apart from the data.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; KEY_BYTES]>);

impl MasterKey {
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A key for another purpose (HKDF-SHA256), which tells nothing of this one.
    ///
    /// # Errors
    /// None in practice: the digest gives far more than the bytes asked for.
    pub fn derive(&self, purpose: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, MasterKeyError> {
        let mut derived = Zeroizing::new([0; KEY_BYTES]);
        Hkdf::<Sha256>::new(None, &*self.0)
            .expand(purpose.as_bytes(), &mut *derived)
            .map_err(|_| MasterKeyError::Malformed)?;
        Ok(derived)
    }

    /// Reads the file, or makes it with a new key when there is none. Of several processes that make it at once, all
    /// end with the same key.
    pub fn load_or_create(path: &Path, ids: &dyn Ids) -> Result<Self, MasterKeyError> {
        match Self::load(path) {
            Err(MasterKeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Self::create(path, ids)?;
                // What counts is what the file holds: another process may have been first.
                Self::load(path)
            }
            loaded => loaded,
        }
    }

    fn load(path: &Path) -> Result<Self, MasterKeyError> {
        let failed = |action| move |source| MasterKeyError::Io { action, path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let file = options.open(path).map_err(failed("open"))?;
        let mode = file.metadata().map_err(failed("look at"))?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::Open { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed("read"))?;
        text.parse().map_err(|_| MasterKeyError::MalformedFile { path: path.to_owned() })
    }

    /// Written in full beside its place and then linked there, which fails when the place is taken: so nobody ever sees
    /// half a key, and no key is ever replaced.
    fn create(path: &Path, ids: &dyn Ids) -> Result<(), MasterKeyError> {
        let failed = |action| move |source| MasterKeyError::Io { action, path: path.to_owned(), source };
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        ids.fill(&mut *bytes);
        let text = Zeroizing::new(hex::encode(*bytes));

        let mut draft = path.as_os_str().to_owned();
        draft.push(format!(".{}", ids.uuid()));
        let draft = PathBuf::from(draft);
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
            writeln!(file, "{}", *text)?;
            file.sync_all()?;
            match fs::hard_link(&draft, path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                other => other,
            }
        });
        let removed = fs::remove_file(&draft);
        written.map_err(failed("create"))?;
        removed.map_err(failed("tidy up after making"))?;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed("make durable"))
    }

    /// Tells keys apart without telling them.
    fn id(&self) -> String {
        let digest = Sha256::new().chain_update(b"palaver vault key id").chain_update(*self.0).finalize();
        hex::encode(digest.get(..KEY_ID_BYTES).unwrap_or_default())
    }
}

/// From 64 hex digits, or base64 of either alphabet, padded or not: the text of `PALAVER_MASTER_KEY`.
impl FromStr for MasterKey {
    type Err = MasterKeyError;

    fn from_str(text: &str) -> Result<Self, MasterKeyError> {
        let text = text.trim();
        let indifferent = engine::GeneralPurposeConfig::new()
            .with_decode_padding_mode(engine::DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(false);
        let standard = engine::GeneralPurpose::new(&alphabet::STANDARD, indifferent);
        let url_safe = engine::GeneralPurpose::new(&alphabet::URL_SAFE, indifferent);
        // The length decides between the two: 64 hex digits read as base64 would be 48 bytes.
        let decoded =
            hex::decode(text).ok().or_else(|| standard.decode(text).ok()).or_else(|| url_safe.decode(text).ok());
        let decoded = Zeroizing::new(decoded.ok_or(MasterKeyError::Malformed)?);
        let bytes = <[u8; KEY_BYTES]>::try_from(decoded.as_slice()).map_err(|_| MasterKeyError::Malformed)?;
        Ok(Self::from_bytes(bytes))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(redacted)")
    }
}

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("the vault holds no secret {0} for this tenant")]
    NotFound(SecretRef),
    #[error(
        "secret {reference} is sealed under master key {sealed_under}, and this process has {present}; give the right PALAVER_MASTER_KEY"
    )]
    WrongKey { reference: SecretRef, sealed_under: String, present: String },
    #[error("secret {0} was altered or moved since it was sealed")]
    Tampered(SecretRef),
    #[error("a secret of {bytes} bytes is longer than {SECRET_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error("the vault cannot be reached: {0}")]
    Database(#[from] sqlx::Error),
}

/// What is sealed. Authenticated along with it, so that nothing opens as what it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// A secret in the vault.
    Secret,
    /// The content of a mail in the outbox.
    Mail,
}

impl Sealed {
    const fn context(self) -> &'static [u8] {
        match self {
            Self::Secret => b"palaver vault 1",
            Self::Mail => b"palaver mail 1",
        }
    }
}

/// The key, ready for use on one kind of thing: what seals and opens, apart from where it is kept.
pub struct Seal {
    cipher: XChaCha20Poly1305,
    key_id: String,
    what: Sealed,
}

impl Seal {
    pub fn new(key: &MasterKey, what: Sealed) -> Self {
        Self { cipher: XChaCha20Poly1305::new((&*key.0).into()), key_id: key.id(), what }
    }

    /// Names the key, without telling it: what is to be kept beside all that this closes.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Nonce, then ciphertext and tag.
    ///
    /// # Errors
    /// `TooLong` for more than [`SECRET_BYTES_MAX`].
    pub fn close(
        &self,
        ids: &dyn Ids,
        tenant: AccountId,
        reference: SecretRef,
        secret: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let too_long = VaultError::TooLong { bytes: secret.len() };
        if secret.len() > SECRET_BYTES_MAX {
            return Err(too_long);
        }
        let mut nonce = [0; NONCE_BYTES];
        ids.fill(&mut nonce);
        let aad = self.bound_to(tenant, reference);
        // Its length is the only thing that the cipher can refuse.
        let sealed = self
            .cipher
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: secret, aad: &aad })
            .map_err(|_| too_long)?;
        Ok([&nonce, sealed.as_slice()].concat())
    }

    /// Opens what was closed for the same tenant and reference, under the key of that id.
    ///
    /// # Errors
    /// `WrongKey`, or `Tampered`.
    pub fn open(
        &self,
        tenant: AccountId,
        reference: SecretRef,
        key_id: &str,
        sealed: &[u8],
    ) -> Result<Secret, VaultError> {
        if key_id != self.key_id {
            let (sealed_under, present) = (key_id.to_owned(), self.key_id.clone());
            return Err(VaultError::WrongKey { reference, sealed_under, present });
        }
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES).ok_or(VaultError::Tampered(reference))?;
        let aad = self.bound_to(tenant, reference);
        let opened = self.cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: &aad });
        opened.map(|secret| Secret(Zeroizing::new(secret))).map_err(|_| VaultError::Tampered(reference))
    }

    /// The last two parts have a fixed length, so no two triples read the same.
    fn bound_to(&self, tenant: AccountId, reference: SecretRef) -> Vec<u8> {
        [self.what.context(), tenant.to_string().as_bytes(), reference.0.as_bytes()].concat()
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("key_id", &self.key_id).field("what", &self.what).finish_non_exhaustive()
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    pool: PgPool,
    seal: Arc<Seal>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl Vault {
    pub fn new(pool: PgPool, key: MasterKey, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { pool, seal: Arc::new(Seal::new(&key, Sealed::Secret)), clock, ids }
    }

    /// Keeps a secret under a new reference.
    pub async fn put(&self, tenant: AccountId, secret: &[u8]) -> Result<SecretRef, VaultError> {
        let reference = SecretRef(self.ids.uuid());
        let sealed = self.seal.close(&*self.ids, tenant, reference, secret)?;
        sqlx::query!(
            "INSERT INTO vault (tenant_id, reference, key_id, sealed, created_at) VALUES ($1, $2, $3, $4, $5)",
            tenant.to_string(),
            reference.0,
            self.seal.key_id,
            sealed,
            self.clock.now(),
        )
        .execute(&self.pool)
        .await?;
        Ok(reference)
    }

    /// Finds out whether this key is the one that what is here was sealed under, before anything depends on it.
    ///
    /// # Errors
    /// `WrongKey` when something was sealed under another key.
    pub async fn verify(&self) -> Result<(), VaultError> {
        let other = sqlx::query!("SELECT reference, key_id FROM vault WHERE key_id <> $1 LIMIT 1", self.seal.key_id);
        match other.fetch_optional(&self.pool).await? {
            None => Ok(()),
            Some(row) => Err(VaultError::WrongKey {
                reference: SecretRef(row.reference),
                sealed_under: row.key_id,
                present: self.seal.key_id.clone(),
            }),
        }
    }

    pub async fn get(&self, tenant: AccountId, reference: SecretRef) -> Result<Secret, VaultError> {
        let row = sqlx::query!(
            "SELECT key_id, sealed FROM vault WHERE tenant_id = $1 AND reference = $2",
            tenant.to_string(),
            reference.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(VaultError::NotFound(reference))?;
        self.seal.open(tenant, reference, &row.key_id, &row.sealed)
    }

    /// Puts another secret under the same reference, sealed under this process's key whatever the old one was under.
    pub async fn replace(&self, tenant: AccountId, reference: SecretRef, secret: &[u8]) -> Result<(), VaultError> {
        let sealed = self.seal.close(&*self.ids, tenant, reference, secret)?;
        let replaced = sqlx::query!(
            "UPDATE vault SET key_id = $3, sealed = $4, created_at = $5 WHERE tenant_id = $1 AND reference = $2",
            tenant.to_string(),
            reference.0,
            self.seal.key_id,
            sealed,
            self.clock.now(),
        )
        .execute(&self.pool)
        .await?;
        if replaced.rows_affected() == 0 { Err(VaultError::NotFound(reference)) } else { Ok(()) }
    }

    /// Deleting what is not there is no error: it is gone either way.
    pub async fn delete(&self, tenant: AccountId, reference: SecretRef) -> Result<(), VaultError> {
        sqlx::query!("DELETE FROM vault WHERE tenant_id = $1 AND reference = $2", tenant.to_string(), reference.0)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("key_id", &self.seal.key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::ids::SystemIds;

    const TENANT: AccountId = AccountId::from_bytes([1; 12]);
    const OTHER_TENANT: AccountId = AccountId::from_bytes([2; 12]);
    const SECRET: &[u8] = b"correct horse";

    fn key(byte: u8) -> MasterKey {
        MasterKey::from_bytes([byte; KEY_BYTES])
    }

    fn sealed() -> (Seal, SecretRef, Vec<u8>) {
        let seal = Seal::new(&key(7), Sealed::Secret);
        let reference = SecretRef(SystemIds.uuid());
        let sealed = seal.close(&SystemIds, TENANT, reference, SECRET).unwrap();
        (seal, reference, sealed)
    }

    #[test]
    fn what_is_sealed_opens_and_shows_nothing() {
        let (seal, reference, sealed) = sealed();
        assert_eq!(seal.open(TENANT, reference, &seal.key_id, &sealed).unwrap().expose(), SECRET);
        assert!(!sealed.windows(SECRET.len()).any(|window| window == SECRET));
        let again = seal.close(&SystemIds, TENANT, reference, SECRET).unwrap();
        assert_ne!(sealed, again, "the nonce must be new each time");
        let empty = seal.close(&SystemIds, TENANT, reference, b"").unwrap();
        assert_eq!(seal.open(TENANT, reference, &seal.key_id, &empty).unwrap().expose(), b"");
    }

    #[test]
    fn any_changed_or_missing_byte_is_noticed() {
        let (seal, reference, sealed) = sealed();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            let opened = seal.open(TENANT, reference, &seal.key_id, &changed);
            assert!(matches!(opened, Err(VaultError::Tampered(_))), "byte {index}");
            let opened = seal.open(TENANT, reference, &seal.key_id, &sealed[..index]);
            assert!(matches!(opened, Err(VaultError::Tampered(_))), "cut to {index}");
        }
    }

    #[test]
    fn a_sealed_secret_cannot_be_moved() {
        let (seal, reference, sealed) = sealed();
        let elsewhere = SecretRef(SystemIds.uuid());
        for (tenant, reference) in [(OTHER_TENANT, reference), (TENANT, elsewhere)] {
            let opened = seal.open(tenant, reference, &seal.key_id, &sealed);
            assert!(matches!(opened, Err(VaultError::Tampered(_))));
        }
    }

    #[test]
    fn a_sealed_secret_is_no_mail() {
        let (seal, reference, sealed) = sealed();
        let mail = Seal::new(&key(7), Sealed::Mail);
        assert_eq!(mail.key_id(), seal.key_id());
        let opened = mail.open(TENANT, reference, mail.key_id(), &sealed);
        assert!(matches!(opened, Err(VaultError::Tampered(_))));
    }

    #[test]
    fn another_master_key_is_told_as_such() {
        let (seal, reference, sealed) = sealed();
        let other = Seal::new(&key(8), Sealed::Secret);
        let opened = other.open(TENANT, reference, &seal.key_id, &sealed);
        assert!(matches!(opened, Err(VaultError::WrongKey { .. })));
        // A row that lies about its key does not open either.
        let opened = other.open(TENANT, reference, &other.key_id, &sealed);
        assert!(matches!(opened, Err(VaultError::Tampered(_))));
    }

    #[test]
    fn a_secret_that_is_too_long_is_refused() {
        let (seal, reference, _) = sealed();
        let secret = vec![0; SECRET_BYTES_MAX + 1];
        let refused = seal.close(&SystemIds, TENANT, reference, &secret);
        assert!(matches!(refused, Err(VaultError::TooLong { .. })));
        assert!(seal.close(&SystemIds, TENANT, reference, &secret[1..]).is_ok());
    }

    #[test]
    fn nothing_secret_is_printed() {
        let (seal, reference, sealed) = sealed();
        let secret = seal.open(TENANT, reference, &seal.key_id, &sealed).unwrap();
        assert_eq!(format!("{secret:?} {:?}", key(7)), "Secret(redacted) MasterKey(redacted)");
    }

    #[test]
    fn a_master_key_is_read_as_hex_or_base64() {
        let bytes = [0xfb; KEY_BYTES];
        let standard = base64::engine::general_purpose::STANDARD.encode(bytes);
        let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        assert!(standard.contains('+') && url_safe.contains('-'));
        for text in
            [hex::encode(bytes), hex::encode_upper(bytes), standard, url_safe, format!("{}\n", hex::encode(bytes))]
        {
            assert_eq!(*text.parse::<MasterKey>().unwrap().0, bytes, "{text:?}");
        }
        for text in ["", "fb", &hex::encode([1; 31]), &hex::encode([1; 33]), &"z".repeat(64), "correct horse battery"] {
            assert!(text.parse::<MasterKey>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_key_file_is_made_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let made = MasterKey::load_or_create(&path, &SystemIds).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "a draft was left");
        let loaded = MasterKey::load_or_create(&path, &SystemIds).unwrap();
        assert_eq!(*made.0, *loaded.0);
        // One who lost the race keeps the winner's key.
        MasterKey::create(&path, &SystemIds).unwrap();
        assert_eq!(*MasterKey::load(&path).unwrap().0, *made.0);
    }

    #[test]
    fn a_key_file_that_is_open_or_wrong_is_refused_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        MasterKey::load_or_create(&path, &SystemIds).unwrap();
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = MasterKey::load_or_create(&path, &SystemIds);
            assert!(matches!(refused, Err(MasterKeyError::Open { .. })), "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for content in ["", "short", &hex::encode([1; 31])] {
            fs::write(&path, content).unwrap();
            let refused = MasterKey::load_or_create(&path, &SystemIds);
            assert!(matches!(refused, Err(MasterKeyError::MalformedFile { .. })), "{content:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content, "a broken key file must not be replaced");
        }
    }
}
