//! What roles, permissions and networks are called, in every language that Palaver speaks. A word that is missing does
//! not get through the test below.

mod de;
mod en;
mod fr;

use palaver_domain::{
    Locale,
    channels::Network,
    identity::{CustomizableKind, Permission, Role},
};

/// The words of one language.
pub(super) struct Words {
    roles: &'static [(Role, &'static str)],
    kinds: &'static [(CustomizableKind, &'static str)],
    /// Title and description.
    permissions: &'static [(Permission, &'static str, &'static str)],
    /// What can be done on a network, which stands where `{network}` does.
    network: &'static str,
    /// What a channel is called that is no network, and what it is for.
    placeholders: (&'static str, &'static str),
    pub add_channel: &'static str,
}

impl Words {
    pub const fn of(locale: Locale) -> &'static Self {
        match locale {
            Locale::En => &en::WORDS,
            Locale::De => &de::WORDS,
            Locale::Fr => &fr::WORDS,
        }
    }

    /// A role without a word is called by its key.
    pub fn role(&self, role: Role) -> &'static str {
        self.roles.iter().find(|(named, _)| *named == role).map_or(role.as_str(), |(_, title)| title)
    }

    pub fn kind(&self, kind: CustomizableKind) -> &'static str {
        self.kinds.iter().find(|(named, _)| *named == kind).map(|(_, title)| *title).unwrap_or_default()
    }

    /// Title and description. A permission without words is called by its key.
    pub fn permission(&self, permission: Permission) -> (&'static str, &'static str) {
        let words = self.permissions.iter().find(|(named, ..)| *named == permission);
        words.map_or((permission.as_str(), ""), |(_, title, description)| (title, description))
    }

    /// Title and description.
    pub fn network(&self, network: Network) -> (&'static str, String) {
        let title = match network {
            Network::Facebook => "Facebook",
            Network::Twitter => "Twitter",
            Network::InstagramBusiness => "Instagram",
            Network::Linkedin => "LinkedIn",
            Network::Youtube => "YouTube",
            Network::Pinterest => "Pinterest",
            Network::Tiktok => "TikTok",
            Network::Wordpress => "WordPress",
            Network::Placeholders => return (self.placeholders.0, self.placeholders.1.to_owned()),
        };
        (title, self.network.replace("{network}", title))
    }
}

#[cfg(test)]
mod tests {
    use palaver_domain::identity::Customizable;

    use super::*;

    #[test]
    fn every_language_has_a_word_for_everything() {
        for locale in Locale::ALL {
            let words = Words::of(locale);
            for role in Role::ALL {
                assert_ne!(words.role(role), role.as_str(), "{locale}");
            }
            for one in Customizable::ALL {
                let (title, description) = words.permission(one.permission);
                assert_ne!(title, one.permission.as_str(), "{locale}");
                assert!(description.ends_with('.'), "{locale} {}", one.permission);
                assert!(!words.kind(one.kind).is_empty(), "{locale}");
            }
            for network in Network::ALL {
                let (title, description) = words.network(network);
                assert!(!title.is_empty() && description.ends_with('.') && !description.contains('{'), "{locale}");
            }
        }
    }
}
