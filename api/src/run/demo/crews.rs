//! The teams of the demo: one for each part of the world, and one across them. They decide who of the cast sees which
//! channel.

use super::cast::{Member, OUTLETS, Outlet};

/// A team of the account.
pub(super) struct Crew {
    pub name: &'static str,
    /// Whoever lives in these zones is in it, and what is for every part of the world is its as well.
    zones: Option<&'static str>,
    /// And these users, wherever they live.
    others: &'static [&'static str],
    /// Channels that are not for every part of the world.
    own: &'static [&'static str],
    /// The user name of whoever looks after it.
    pub admin: &'static str,
}

pub(super) const CREWS: [Crew; 4] = [
    Crew {
        name: "Europe, Middle East and Africa",
        zones: Some("Europe/"),
        others: &[],
        own: &["Acme Deutschland", "Acme newsletter"],
        admin: "social-emea@acme.example",
    },
    Crew {
        name: "Americas",
        zones: Some("America/"),
        others: &[],
        own: &["Acme pins", "Acme newsletter"],
        admin: "social-americas@acme.example",
    },
    Crew { name: "Asia Pacific", zones: Some("Asia/"), others: &[], own: &[], admin: "social-apac@acme.example" },
    Crew {
        name: "Labs",
        zones: None,
        others: &["social-apac@acme.example", "editor-emea@acme.example", "editor-americas@acme.example"],
        own: &["Acme Labs"],
        admin: "social-apac@acme.example",
    },
];

impl Crew {
    pub fn has(&self, member: &Member) -> bool {
        self.zones.is_some_and(|zones| member.zone.starts_with(zones)) || self.others.contains(&member.user_name)
    }

    pub fn shows(&self, outlet: &Outlet) -> bool {
        let everywhere = !CREWS.iter().any(|crew| crew.own.contains(&outlet.name));
        if everywhere { self.zones.is_some() } else { self.own.contains(&outlet.name) }
    }
}

/// Whether the member sees the channel, as the teams have it.
pub(super) fn sees(member: &Member, outlet: &Outlet) -> bool {
    member.role.sees_all_channels() || CREWS.iter().any(|crew| crew.has(member) && crew.shows(outlet))
}

/// Whether the member sees all of these channels, by their places in [`OUTLETS`].
pub(super) fn sees_all(member: &Member, outlets: &[usize]) -> bool {
    outlets.iter().all(|&at| OUTLETS.get(at).is_some_and(|outlet| sees(member, outlet)))
}

#[cfg(test)]
mod tests {
    use super::{super::cast::MEMBERS, *};

    #[test]
    fn everybody_sees_something_and_teams_make_a_difference() {
        let seen = |member: &Member| OUTLETS.iter().filter(|outlet| sees(member, outlet)).count();
        for member in &MEMBERS {
            assert!(seen(member) > 5, "{}", member.user_name);
            assert_eq!(seen(member) == OUTLETS.len(), member.role.sees_all_channels(), "{}", member.user_name);
        }
        for outlet in &OUTLETS {
            let writers = MEMBERS.iter().filter(|member| member.writes() && sees(member, outlet));
            assert!(writers.clone().any(|member| !member.is_manager()), "{}", outlet.name);
            assert!(writers.filter(|member| member.is_manager()).count() > 1, "{}", outlet.name);
        }
        for crew in &CREWS {
            let admin = MEMBERS.iter().find(|member| member.user_name == crew.admin).unwrap();
            assert!(crew.has(admin) && OUTLETS.iter().any(|outlet| crew.shows(outlet)), "{}", crew.name);
            for named in crew.others {
                assert!(MEMBERS.iter().any(|member| member.user_name == *named), "{named}");
            }
            for named in crew.own {
                assert!(OUTLETS.iter().any(|outlet| outlet.name == *named), "{named}");
            }
        }
    }
}
