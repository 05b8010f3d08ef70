//! The limits of the domain, in one place. A limit that a caller meets is named in the error it gets.

/// Channels, and therefore posts, of one post group.
pub const CHANNELS_PER_GROUP_MAX: usize = 100;
/// Characters of a post's text on any network.
pub const POST_TEXT_CHARS_MAX: usize = 100_000;
/// Media of one kind in one post. Source: seed 003, `index` of images, 0 to 9.
pub const MEDIA_PER_POST_MAX: usize = 10;
/// Tags, and categories, of one post.
pub const TAGS_PER_POST_MAX: usize = 100;
/// Characters of a first comment. Source: seed 003, `firstComment`.
pub const FIRST_COMMENT_CHARS_MAX: usize = 2_000;
/// Characters of a comment in a post's feed.
pub const COMMENT_CHARS_MAX: usize = 10_000;
/// People mentioned in one comment.
pub const MENTIONS_PER_COMMENT_MAX: usize = 50;
/// Characters of a channel's name. Source: seed 003, placeholder channels.
pub const CHANNEL_NAME_CHARS_MAX: usize = 50;
/// Minutes before publication at which a placeholder's recipients are told. Source: seed 003, `emailAdvance`.
pub const EMAIL_ADVANCE_MINUTES_MAX: u16 = 1_440;
/// Recipients, and carbon copies, of one placeholder channel.
pub const PLACEHOLDER_RECIPIENTS_MAX: usize = 50;

/// Raised whenever the state of any aggregate, or what an event makes of it, changes: older snapshots are then ignored.
pub const STATE_VERSION: i32 = 1;
