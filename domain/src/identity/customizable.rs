//! The permissions that may be chosen one by one for a `CUSTOM` user, and what an account must have for each. Source:
//! seed 003, `Settings.roles.permissions` and `PATCH /users/{id}/permissions`.

use serde::Serialize;

use super::{
    AccountState, Feature,
    Permission::{self, *},
    Permissions, Product,
};

/// Where a permission belongs in a list of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CustomizableKind {
    General,
    Inbox,
    Cp,
}

/// One permission that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Customizable {
    pub permission: Permission,
    pub kind: CustomizableKind,
    pub products: &'static [Product],
    pub features: &'static [Feature],
}

impl Customizable {
    /// Every permission that may be chosen, in the order in which lists show them.
    pub const ALL: &'static [Self] = &[
        general(ViewUsers),
        general(ViewChannels),
        general(ViewAnalytics),
        general(Exportsights),
        with(general(ViewContacts), &[Feature::Contacts]),
        with(general(EditContacts), &[Feature::Contacts]),
        media(UseMediaLibrary),
        media(AddToMediaLibrary),
        media(MediaLibraryEdit),
        media(UseMediaEditor),
        media(UploadMedia),
        inbox(ViewTickets),
        with(inbox(ViewSuggestedTickets), &[Feature::ApprovalProcess]),
        inbox(ViewHistory),
        inbox(ArchiveNewTickets),
        inbox(ReplyTicket),
        with(inbox(ApproveSuggestion), &[Feature::ApprovalProcess]),
        with(inbox(ApproveOwnSuggestion), &[Feature::ApprovalProcess]),
        inbox(DeleteReply),
        inbox(HideTicket),
        inbox(NoteTicket),
        inbox(DeleteNote),
        inbox(DeleteTicket),
        inbox(LikeTicket),
        inbox(ShareTicket),
        inbox(AssignTicket),
        inbox(ArchiveTicket),
        with(inbox(ForwardTicket), &[Feature::Contacts]),
        inbox(HandBackTicket),
        inbox(BlockInteractor),
        with(inbox(ViewCategories), &[Feature::Categories]),
        with(inbox(AssignCategories), &[Feature::Categories]),
        with(inbox(ViewTemplates), &[Feature::Templates]),
        with(inbox(EditTemplates), &[Feature::Templates]),
        with(inbox(EditCustomFolders), &[Feature::CustomFolders]),
        cp(ViewPosts),
        cp(EditPosts),
        with(cp(ViewCollaborationTab), &[Feature::Coworking]),
        with(cp(CreateComment), &[Feature::Coworking]),
        cp(PublishPosts),
        with(cp(ApprovalRequest), &[Feature::CpApprovalProcess]),
        with(cp(ApprovePosts), &[Feature::CpApprovalProcess]),
        with(cp(ApproveOwnPosts), &[Feature::CpApprovalProcess]),
        cp(ViewCampaigns),
        cp(EditCampaigns),
        cp(CreateTags),
        cp(EditTags),
        cp(DeleteTags),
        with(cp(ShortenLinks), &[Feature::LinkShortener]),
        cp(ViewAds),
        cp(EditAds),
    ];

    /// All of them as a set.
    pub fn permissions() -> Permissions {
        Self::ALL.iter().map(|one| one.permission).collect()
    }

    /// `None` when the permission comes with a role alone.
    pub fn of(permission: Permission) -> Option<&'static Self> {
        Self::ALL.iter().find(|one| one.permission == permission)
    }

    /// Whether the account has what the permission is about.
    pub fn is_met_by(&self, account: &AccountState) -> bool {
        self.products.iter().all(|product| account.products.has(*product))
            && self.features.iter().all(|feature| account.has(*feature))
    }
}

const fn general(permission: Permission) -> Customizable {
    Customizable { permission, kind: CustomizableKind::General, products: &[], features: &[] }
}

const fn media(permission: Permission) -> Customizable {
    Customizable { products: &[Product::Ml], ..general(permission) }
}

const fn inbox(permission: Permission) -> Customizable {
    Customizable { permission, kind: CustomizableKind::Inbox, products: &[Product::Inbox], features: &[] }
}

const fn cp(permission: Permission) -> Customizable {
    Customizable { permission, kind: CustomizableKind::Cp, products: &[Product::Cp], features: &[] }
}

const fn with(one: Customizable, features: &'static [Feature]) -> Customizable {
    Customizable { features, ..one }
}
