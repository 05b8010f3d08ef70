//! The roles of seed 003 and what each grants, as one table.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Permission, Permission::*, Permissions};

/// Source: seed 003, `Settings.roles`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Operates the service: every account.
    SuperAdmin,
    /// Looks at every account, and changes none.
    SuperAdminViewer,
    /// Runs the account.
    Admin,
    /// Social media manager: plans, approves and publishes, and works the inbox.
    Smm,
    /// Social media manager who also runs the ads.
    SmmAa,
    /// Social media manager without insights.
    SmmWoi,
    /// Community manager: works the inbox, may propose posts.
    Cm,
    /// Community manager without insights.
    CmWoi,
    /// Hands tickets to those who answer them.
    Assigner,
    /// Reads the figures.
    Reporter,
    /// Reads.
    Observer,
    /// Writes posts that others approve.
    Editor,
    /// Runs the ads.
    Advert,
    /// Whatever was chosen for the user, permission by permission.
    Custom,
}

const OBSERVER: Permissions = Permissions::of(&[
    ViewPosts,
    ViewCalendar,
    ViewContentList,
    ViewCampaigns,
    ViewTickets,
    ViewHistory,
    ViewAnalytics,
    ViewPersonalSettings,
]);

const EDITOR: Permissions = Permissions::of(&[
    ViewPosts,
    EditPosts,
    ViewCollaborationTab,
    CreateComment,
    ApprovalRequest,
    ViewCalendar,
    ViewContentList,
    ViewCampaigns,
    UseMediaLibrary,
    AddToMediaLibrary,
    UseMediaEditor,
    UploadMedia,
    ViewPersonalSettings,
]);

/// What it takes to look at tickets and pass them on.
const ASSIGNER: Permissions = Permissions::of(&[
    ViewTickets,
    ViewHistory,
    NoteTicket,
    AssignTicket,
    ArchiveTicket,
    ForwardTicket,
    HandBackTicket,
    ViewCategories,
    AssignCategories,
    ViewContacts,
    ViewChannels,
    ViewPersonalSettings,
]);

const CM: Permissions = OBSERVER
    .with(&[
        ViewSuggestedTickets,
        ArchiveNewTickets,
        ReplyTicket,
        DeleteReply,
        HideTicket,
        NoteTicket,
        DeleteNote,
        LikeTicket,
        ShareTicket,
        AssignTicket,
        ArchiveTicket,
        ForwardTicket,
        HandBackTicket,
        BlockInteractor,
        ViewCategories,
        AssignCategories,
        ViewTemplates,
        ViewContacts,
        ViewChannels,
        Exportsights,
    ])
    .with(&[
        EditPosts,
        ViewCollaborationTab,
        CreateComment,
        ApprovalRequest,
        UseMediaLibrary,
        AddToMediaLibrary,
        UseMediaEditor,
        UploadMedia,
    ]);

const SMM: Permissions = CM.with(&[
    PublishPosts,
    ApprovePosts,
    ApproveOwnPosts,
    RejectPost,
    EditCampaigns,
    CreateTags,
    EditTags,
    DeleteTags,
    ShortenLinks,
    ViewLinkShortener,
    MediaLibraryEdit,
    ApproveSuggestion,
    ApproveOwnSuggestion,
    DeleteTicket,
    EditTemplates,
    EditCustomFolders,
    ManageSearches,
    EditContacts,
    ViewUsers,
]);

const ADS: [Permission; 3] = [ViewAds, EditAds, EditAdAccounts];
const INSIGHTS: [Permission; 2] = [ViewAnalytics, Exportsights];
/// What reaches beyond the own account, or is agreed with whoever runs the service.
const OPERATORS: [Permission; 5] =
    [DeleteAccount, EditAccountSalesSettings, ViewAdminDropdown, ViewAllAccounts, EditAllAccounts];

impl Role {
    pub const ALL: [Self; 14] = [
        Self::SuperAdmin,
        Self::SuperAdminViewer,
        Self::Admin,
        Self::Smm,
        Self::SmmAa,
        Self::SmmWoi,
        Self::Cm,
        Self::CmWoi,
        Self::Assigner,
        Self::Reporter,
        Self::Observer,
        Self::Editor,
        Self::Advert,
        Self::Custom,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SuperAdmin => "SUPERADMIN",
            Self::SuperAdminViewer => "SUPERADMINVIEWER",
            Self::Admin => "ADMIN",
            Self::Smm => "SMM",
            Self::SmmAa => "SMMAA",
            Self::SmmWoi => "SMMWOI",
            Self::Cm => "CM",
            Self::CmWoi => "CMWOI",
            Self::Assigner => "ASSIGNER",
            Self::Reporter => "REPORTER",
            Self::Observer => "OBSERVER",
            Self::Editor => "EDITOR",
            Self::Advert => "ADVERT",
            Self::Custom => "CUSTOM",
        }
    }

    /// What the role grants. A `CUSTOM` user has what was chosen for that user, and nothing by the role.
    pub const fn permissions(self) -> Permissions {
        match self {
            Self::SuperAdmin => Permissions::all(),
            Self::SuperAdminViewer => OBSERVER.with(&[
                ViewAdminDropdown,
                ViewAllAccounts,
                ViewAccountSettings,
                ViewFeatures,
                ViewUsers,
                ViewTeams,
                ViewChannels,
                ViewContacts,
                ViewSecuritySettings,
            ]),
            Self::Admin => Permissions::all().without(&OPERATORS),
            Self::Smm => SMM,
            Self::SmmAa => SMM.with(&ADS),
            Self::SmmWoi => SMM.without(&INSIGHTS),
            Self::Cm => CM,
            Self::CmWoi => CM.without(&INSIGHTS),
            Self::Assigner => ASSIGNER,
            Self::Reporter => Permissions::of(&[ViewAnalytics, Exportsights, ViewPersonalSettings]),
            Self::Observer => OBSERVER,
            Self::Editor => EDITOR,
            Self::Advert => Permissions::of(&ADS).with(&[ViewPosts, ViewCalendar, ViewCampaigns, ViewPersonalSettings]),
            Self::Custom => Permissions::NONE,
        }
    }

    /// Whether the role reaches beyond its own account.
    pub const fn is_operator(self) -> bool {
        matches!(self, Self::SuperAdmin | Self::SuperAdminViewer)
    }

    /// Whether every channel of the account is open to the role, whatever teams there are.
    pub const fn sees_all_channels(self) -> bool {
        matches!(self, Self::Admin) || self.is_operator()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a role")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str().eq_ignore_ascii_case(text)).ok_or(UnknownRole)
    }
}
