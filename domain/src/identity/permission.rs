//! What a user may be allowed to do. Source: seed 003, `Settings.roles.permissions`.

use std::fmt;

macro_rules! permissions {
    ($($name:ident),+ $(,)?) => {
        /// One permission; routes ask for it, roles grant it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
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
    ViewCalendar,
    ViewContentList,
    ViewChannels,
    EditChannels,
    DeleteChannel,
    ViewAccountSettings,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
