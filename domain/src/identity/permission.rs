//! What a user may be allowed to do. Source: seed 003, `Settings.roles.permissions` and what its routes ask for; the last
//! two are ours.

use std::{collections::BTreeSet, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! permissions {
    ($($name:ident),+ $(,)?) => {
        /// One permission; routes ask for it, roles grant it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Permission { $($name),+ }

        impl Permission {
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

permissions! {
    ViewPosts,
    EditPosts,
    ViewCollaborationTab,
    CreateComment,
    PublishPosts,
    ApprovePosts,
    ApproveOwnPosts,
    RejectPost,
    ApprovalRequest,
    ViewCalendar,
    ViewContentList,
    ViewCampaigns,
    EditCampaigns,
    CreateTags,
    EditTags,
    DeleteTags,
    ShortenLinks,
    ViewLinkShortener,
    ViewAnalytics,
    Exportsights,
    ViewAds,
    EditAds,
    EditAdAccounts,
    UseMediaLibrary,
    AddToMediaLibrary,
    MediaLibraryEdit,
    UseMediaEditor,
    UploadMedia,
    ViewTickets,
    ViewSuggestedTickets,
    ViewHistory,
    ArchiveNewTickets,
    ReplyTicket,
    ApproveSuggestion,
    ApproveOwnSuggestion,
    DeleteReply,
    HideTicket,
    NoteTicket,
    DeleteNote,
    DeleteTicket,
    LikeTicket,
    ShareTicket,
    AssignTicket,
    ArchiveTicket,
    ForwardTicket,
    HandBackTicket,
    BlockInteractor,
    ViewCategories,
    EditCategories,
    AssignCategories,
    ViewTemplates,
    EditTemplates,
    EditCustomFolders,
    ManageSearches,
    ViewContacts,
    EditContacts,
    ViewChannels,
    EditChannels,
    EditTeamChannels,
    DeleteChannel,
    ViewTeams,
    ViewUsers,
    EditUsers,
    DeleteUsers,
    ViewFeatures,
    EditFeatures,
    ViewSecuritySettings,
    EditSecuritySettings,
    ViewPersonalSettings,
    ViewAccountSettings,
    EditAccount,
    DeleteAccount,
    EditAccountSalesSettings,
    ViewAdminDropdown,
    ViewAllAccounts,
    EditAllAccounts,
    // Ours: the log itself, which tells all that the account did.
    ViewEvents,
    ViewAudit,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a permission")]
pub struct UnknownPermission;

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        Self::ALL.iter().copied().find(|permission| permission.as_str() == text).ok_or(UnknownPermission)
    }
}

/// A set of permissions: what a role grants, or a user has.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, JsonSchema)]
pub struct Permissions(#[schemars(with = "BTreeSet<Permission>")] u128);

const _: () = assert!(Permission::ALL.len() <= 128, "a permission is a bit of a u128");

impl Permissions {
    pub const NONE: Self = Self(0);

    pub const fn all() -> Self {
        Self::of(Permission::ALL)
    }

    pub const fn of(some: &[Permission]) -> Self {
        Self::NONE.with(some)
    }

    #[must_use]
    pub const fn with(self, more: &[Permission]) -> Self {
        let (mut bits, mut rest) = (self.0, more);
        while let [first, others @ ..] = rest {
            bits |= 1 << *first as u32;
            rest = others;
        }
        Self(bits)
    }

    #[must_use]
    pub const fn without(self, some: &[Permission]) -> Self {
        Self(self.0 & !Self::of(some).0)
    }

    /// Those that are in both.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u32) != 0
    }

    pub const fn is_superset(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// In the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.contains(*permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(some: I) -> Self {
        some.into_iter().fold(Self::NONE, |set, permission| set.with(&[permission]))
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// As a list of names, so that adding a permission changes nothing that was written before.
impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Permission>::deserialize(deserializer)?.into_iter().collect())
    }
}
