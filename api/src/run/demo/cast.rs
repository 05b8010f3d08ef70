//! Who and what there is in the demo before the first post: the account, its people, its channels. Names are those of
//! roles and places, so nobody real is meant.

use palaver_commands::identity::NewUser;
use palaver_domain::{
    channels::{Connection, Network},
    identity::{Permission, Permissions, Role},
};

use super::texts::Language;

pub(super) const ACCOUNT: &str = "Acme";
/// What calls for the account when no person does.
pub(super) const APP: &str = "Acme concierge";

/// A person of the account. Which channels they see is for their teams to say; see `crews`.
pub(super) struct Member {
    pub user_name: &'static str,
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub role: Role,
    pub language: Language,
    pub zone: &'static str,
}

impl Member {
    /// Approves what others propose, and schedules without asking.
    pub fn is_manager(&self) -> bool {
        matches!(self.role, Role::Admin | Role::Smm)
    }

    /// Whether posts of the demo are theirs. People of other roles are there to be logged in as.
    pub fn writes(&self) -> bool {
        self.is_manager() || matches!(self.role, Role::Cm | Role::Editor)
    }

    pub fn new_user(&self) -> NewUser {
        NewUser {
            email: Some(self.user_name.to_owned()),
            first_name: self.first_name.to_owned(),
            last_name: self.last_name.to_owned(),
            locale: self.language.locale(),
            permissions: (self.role == Role::Custom).then_some(CHOSEN),
            ..NewUser::named(self.user_name, self.role)
        }
    }
}

const fn member(
    user_name: &'static str,
    (first_name, last_name): (&'static str, &'static str),
    role: Role,
    language: Language,
    zone: &'static str,
) -> Member {
    Member { user_name, first_name, last_name, role, language, zone }
}

/// What was chosen for the one whose role is `CUSTOM`: to look at what is planned, and at who and what there is.
const CHOSEN: Permissions = Permissions::of(&[
    Permission::ViewPosts,
    Permission::ViewCampaigns,
    Permission::ViewChannels,
    Permission::ViewUsers,
    Permission::ViewAnalytics,
]);

/// The last CM and the last EDITOR are the ones who are in the middle of composing, so that the first user of every
/// role has a free workbench.
#[rustfmt::skip]
pub(super) const MEMBERS: [Member; 19] = [
    member("admin@acme.example", ("Acme", "Administration"), Role::Admin, Language::English, "Europe/London"),
    member("social-emea@acme.example", ("Social", "EMEA"), Role::Smm, Language::German, "Europe/Berlin"),
    member("social-americas@acme.example", ("Social", "Americas"), Role::Smm, Language::English, "America/New_York"),
    member("social-apac@acme.example", ("Social", "APAC"), Role::Smm, Language::Japanese, "Asia/Tokyo"),
    member("community-emea@acme.example", ("Community", "EMEA"), Role::Cm, Language::French, "Europe/Paris"),
    member("community-americas@acme.example", ("Community", "Americas"), Role::Cm, Language::Spanish, "America/Mexico_City"),
    member("editor-emea@acme.example", ("Editor", "EMEA"), Role::Editor, Language::German, "Europe/Berlin"),
    member("editor-americas@acme.example", ("Editor", "Americas"), Role::Editor, Language::English, "America/Chicago"),
    member("editor-brasil@acme.example", ("Editor", "Brasil"), Role::Editor, Language::Portuguese, "America/Sao_Paulo"),
    member("reports@acme.example", ("Reports", "London"), Role::Observer, Language::English, "Europe/London"),
    member("operator@acme.example", ("Palaver", "Operator"), Role::SuperAdmin, Language::English, "Europe/London"),
    member("operator-viewer@acme.example", ("Palaver", "Viewer"), Role::SuperAdminViewer, Language::English, "Europe/London"),
    member("social-ads@acme.example", ("Social", "Ads"), Role::SmmAa, Language::English, "America/New_York"),
    member("social-agency@acme.example", ("Social", "Agency"), Role::SmmWoi, Language::German, "Europe/Vienna"),
    member("community-agency@acme.example", ("Community", "Agency"), Role::CmWoi, Language::French, "Europe/Brussels"),
    member("dispatch@acme.example", ("Dispatch", "EMEA"), Role::Assigner, Language::English, "Europe/Dublin"),
    member("figures@acme.example", ("Figures", "London"), Role::Reporter, Language::English, "Europe/London"),
    member("ads@acme.example", ("Ads", "Americas"), Role::Advert, Language::English, "America/Chicago"),
    member("guest@acme.example", ("Guest", "Press"), Role::Custom, Language::English, "Europe/London"),
];

/// Those whose workbench holds what they are composing when the demo begins.
pub(super) const COMPOSERS: [usize; 2] = [5, 8];

/// A channel of the account.
pub(super) struct Outlet {
    pub name: &'static str,
    pub unique_name: &'static str,
    pub network: Network,
}

impl Outlet {
    pub fn connection(&self) -> Connection {
        match self.network {
            Network::Placeholders => Connection::Placeholder {
                network: Some("LINKEDIN".to_owned()),
                recipients: vec!["newsletter@acme.example".to_owned()],
                cc: Vec::new(),
                email_advance_minutes: Some(30),
            },
            _ => Connection::Sandbox,
        }
    }
}

const fn outlet(name: &'static str, unique_name: &'static str, network: Network) -> Outlet {
    Outlet { name, unique_name, network }
}

pub(super) const OUTLETS: [Outlet; 11] = [
    outlet("Acme", "Acme (Facebook)", Network::Facebook),
    outlet("Acme Deutschland", "Acme Deutschland (Facebook)", Network::Facebook),
    outlet("Acme on Twitter", "@acme", Network::Twitter),
    outlet("Acme on Instagram", "@acme.workshop", Network::InstagramBusiness),
    outlet("Acme on LinkedIn", "Acme (LinkedIn)", Network::Linkedin),
    outlet("Acme TV", "Acme TV", Network::Youtube),
    outlet("Acme pins", "acme_workshop", Network::Pinterest),
    outlet("Acme clips", "@acme.clips", Network::Tiktok),
    outlet("Acme blog", "blog.acme.example", Network::Wordpress),
    outlet("Acme newsletter", "Acme newsletter", Network::Placeholders),
    outlet("Acme Labs", "@acme_labs", Network::Twitter),
];

/// The one of [`OUTLETS`] whose sandbox loses submissions, and can not be asked about them: what is sent there stays
/// open.
pub(super) const FORGETFUL: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_and_network_is_there_and_its_first_user_is_free_to_compose() {
        for role in Role::ALL {
            let first = MEMBERS.iter().position(|member| member.role == role).unwrap();
            assert!(!COMPOSERS.contains(&first), "{role}");
        }
        for network in Network::ALL {
            assert!(OUTLETS.iter().any(|outlet| outlet.network == network), "{network}");
        }
        assert!(COMPOSERS.iter().all(|&at| MEMBERS[at].writes() && !MEMBERS[at].is_manager()));
        assert!(matches!(OUTLETS[FORGETFUL].connection(), Connection::Sandbox));
    }
}
