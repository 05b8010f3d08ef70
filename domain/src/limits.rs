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
/// Characters of a channel's name as it is known on the network.
pub const CHANNEL_UNIQUE_NAME_CHARS_MAX: usize = 254;
/// Minutes before publication at which a placeholder's recipients are told. Source: seed 003, `emailAdvance`.
pub const EMAIL_ADVANCE_MINUTES_MAX: u16 = 1_440;
/// Recipients, and carbon copies, of one placeholder channel.
pub const PLACEHOLDER_RECIPIENTS_MAX: usize = 50;
/// Characters of a title: of a post, a product, a link's preview.
pub const TITLE_CHARS_MAX: usize = 500;
/// Characters of a description, a note, an alternative text.
pub const DESCRIPTION_CHARS_MAX: usize = 5_000;
/// Characters of an identifier that another system made, and of a name that goes with it.
pub const FOREIGN_ID_CHARS_MAX: usize = 500;
/// Characters of a web address.
pub const URL_CHARS_MAX: usize = 2_048;
/// Characters kept of what a network says about a publication.
pub const REPORT_CHARS_MAX: usize = 2_000;
/// The highest `index` of a medium. Source: seed 003, images, videos and animations.
pub const MEDIA_INDEX_MAX: u8 = 9;
/// People, and products, marked on one medium.
pub const MARKS_PER_MEDIUM_MAX: usize = 50;
/// Mentions, links, and inline links, of one post.
pub const REFERENCES_PER_POST_MAX: usize = 100;
/// Bytes of what one network's own settings come to as JSON.
pub const NETWORK_SETTINGS_BYTES_MAX: usize = 65_536;
/// Objects and lists within each other in one network's own settings. Every reader of JSON stops somewhere, and what was
/// once written must be readable by all of them.
pub const NETWORK_SETTINGS_DEPTH_MAX: usize = 16;
/// The years a publish time may lie in, so that every reader of it understands it.
pub const PUBLISH_TIME_YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;
/// What a tweet may weigh, by the network's weighted counting.
pub const TWEET_LENGTH_MAX: usize = 280;
/// Images of one tweet. Source: seed 003, `max4ImagesForTwitterTweet`.
pub const TWEET_IMAGES_MAX: usize = 4;
/// Characters of an account's name, and of a user's.
pub const IDENTITY_NAME_CHARS_MAX: usize = 254;
/// Teams that one channel, or one user, belongs to.
pub const TEAMS_PER_MEMBER_MAX: usize = 1_000;
/// Users who look after one team.
pub const TEAM_ADMINS_MAX: usize = 100;
/// Users, or channels, that one request puts into a team.
pub const TEAM_JOINING_MAX: usize = 500;
/// Users and channels of a team that can be deleted; they all leave in one append.
pub const TEAM_LEAVING_MAX: usize = 900;
/// Characters of a telephone number, as people write it.
pub const PHONE_CHARS_MAX: usize = 50;
/// Channels that one user may look at only.
pub const READ_ONLY_CHANNELS_PER_USER_MAX: usize = 1_000;
/// Mobile devices of one user; one more takes the place of the oldest.
pub const MOBILE_DEVICES_PER_USER_MAX: usize = 20;
/// Characters of a mobile device's id, and of its token. Source: seed 003, PATCH /users/{userId}, `mobileDevice`.
pub const MOBILE_DEVICE_CHARS_MAX: usize = 512;
/// Bytes of a user's own settings as JSON.
pub const USER_SETTINGS_BYTES_MAX: usize = 16_384;
/// Objects and lists within each other in a user's own settings, themselves included.
pub const USER_SETTINGS_DEPTH_MAX: usize = 8;
/// Tags, and custom tags, of one account.
pub const ACCOUNT_TAGS_MAX: usize = 100;
/// Accounts that one account links to.
pub const LINKED_ACCOUNTS_MAX: usize = 100;
/// Characters of an identity provider's public key.
pub const KEYCLOAK_KEY_CHARS_MAX: usize = 8_192;
/// Days after which what customers wrote is deleted. Source: seed 003, `Account.privacy`.
pub const PRIVACY_DAYS: std::ops::RangeInclusive<u16> = 14..=5_000;
/// Recipients of an account's reports on privacy.
pub const PRIVACY_RECIPIENTS_MAX: usize = 50;
/// The years an account may end in, so that every reader of it understands it.
pub const EXPIRATION_YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;
/// Keys of one application that are in force at once.
pub const KEYS_PER_APP_MAX: usize = 20;
/// Keys that an application still shows after they were revoked or expired; the oldest are forgotten first.
pub const ENDED_KEYS_PER_APP_MAX: usize = 50;
/// Characters of the type, and of the id, of a thing whose past somebody looks at.
pub const AUDITED_NAME_CHARS_MAX: usize = 64;

/// Raised whenever the state of any aggregate, or what an event makes of it, changes: older snapshots are then ignored.
pub const STATE_VERSION: i32 = 2;
