//! What no client should send, and what each gets for it: a 4xx with a stable code, in one shape, that says what is
//! wrong. Never a 500.

use std::collections::BTreeSet;

use palaver_tests::{Answer, Client};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{hours_from_now, shared};

/// A body as it goes over the wire.
#[derive(Clone, Copy)]
enum Body {
    Nothing,
    /// As `application/json`.
    Json(&'static str),
    Bytes(&'static [u8]),
    /// With that media type.
    As(&'static str, &'static str),
    /// That many characters in a JSON text.
    Long(usize),
    /// That many arrays in each other.
    Deep(usize),
}
use Body::{As, Bytes, Deep, Json, Long, Nothing};

/// Name, method, path, body, status, code, and what the message (or a path of `errors`) says.
type Case = (&'static str, &'static str, &'static str, Body, u16, &'static str, &'static str);

const BAD: &str = "BadRequestError";
const INVALID: &str = "ValidationError";
const UNKNOWN: &str = "NotFoundError";

#[rustfmt::skip]
const BODIES: &[Case] = &[
    ("malformed JSON", "POST", "/cp/postGroups", Json("{"), 400, BAD, "the body is not JSON: EOF while parsing an object at line 1 column 1"),
    ("two values", "POST", "/cp/postGroups", Json("{\"channelIds\":[]}{}"), 400, BAD, "trailing characters"),
    ("a comment", "POST", "/cp/postGroups", Json("{\"channelIds\":[]} // all"), 400, BAD, "not JSON"),
    ("single quotes", "PATCH", "/cp/posts/{post}", Json("{'content':{}}"), 400, BAD, "not JSON"),
    ("NaN", "PATCH", "/cp/posts/{post}", Json("{\"content\":{\"images\":[{\"id\":NaN}]}}"), 400, BAD, "not JSON"),
    ("no body", "POST", "/cp/postGroups", Json(""), 400, BAD, "not JSON: EOF"),
    ("no body and no type", "POST", "/cp/postGroups", Nothing, 415, "UnsupportedMediaType", "application/json"),
    ("no body for a patch", "PATCH", "/cp/posts/{post}", Nothing, 415, "UnsupportedMediaType", "application/json"),
    ("form instead of JSON", "POST", "/cp/postGroups", As("application/x-www-form-urlencoded", "channelIds={channel}"), 415, "UnsupportedMediaType", "application/json"),
    ("text instead of JSON", "POST", "/cp/posts/{post}/feed", As("text/plain", "{\"message\":\"a\"}"), 415, "UnsupportedMediaType", "application/json"),
    ("JSON in Latin 1", "PATCH", "/cp/posts/{post}", As("application/json; charset=iso-8859-1", "{}"), 415, "UnsupportedMediaType", "UTF-8"),
    ("an optional body of the wrong type", "POST", "/cp/posts/{post}/reject", As("text/plain", "no"), 415, "UnsupportedMediaType", "application/json"),
    ("an optional body that is no JSON", "POST", "/cp/posts/{post}/reject", Json("no"), 400, BAD, "not JSON"),
    ("invalid UTF-8", "POST", "/cp/posts/{post}/feed", Bytes(b"{\"message\":\"\xff\xfe\"}"), 400, BAD, "unicode"),
    ("half a surrogate", "POST", "/cp/posts/{post}/feed", Json("{\"message\":\"\\ud800\"}"), 400, BAD, "unexpected end of hex escape"),
    ("U+0000 escaped", "POST", "/cp/posts/{post}/feed", Json("{\"message\":\"a\\u0000b\"}"), 400, BAD, "U+0000 at line 1 column 14"),
    ("U+0000 in a name", "PATCH", "/cp/posts/{post}", Json("{\"content\":{\"facebook\":{\"a\\u0000\":1}}}"), 400, BAD, "U+0000"),
    ("U+0000 raw", "POST", "/cp/posts/{post}/feed", Bytes(b"{\"message\":\"a\0b\"}"), 400, BAD, "control character"),
    ("a byte order mark", "PATCH", "/cp/posts/{post}", Bytes(b"\xef\xbb\xbf{}"), 400, BAD, "not JSON"),
    ("deep nesting", "PATCH", "/cp/posts/{post}", Deep(100_000), 400, BAD, "the body must be an object, is an array"),
    ("deep nesting within a setting", "PATCH", "/cp/posts/{post}", Json("{\"content\":{\"facebook\":{deep}}}"), 400, BAD, "recursion limit"),
    ("too large", "PATCH", "/cp/posts/{post}", Long(1_100_000), 413, "PayloadTooLargeError", "larger"),
    ("an array for an object", "POST", "/cp/postGroups", Json("[1]"), 400, BAD, "the body must be an object, is an array"),
    ("an array for a patch", "PATCH", "/cp/posts/{post}", Json("\n [{}]"), 400, BAD, "the body must be an object, is an array"),
    ("null for an object", "POST", "/cp/postGroups", Json("null"), 400, BAD, "the body: invalid type: null"),
    ("a text for an object", "POST", "/channels/sandbox", Json("\"x\""), 400, BAD, "the body: invalid type: string"),
    ("a field twice", "POST", "/cp/posts/{post}/feed", Json("{\"message\":\"a\",\"message\":\"b\"}"), 400, BAD, "duplicate field `message`"),
    ("a number for a list", "POST", "/cp/postGroups", Json("{\"channelIds\":7}"), 400, BAD, "`channelIds`: invalid type: integer, expected"),
    ("an id of the wrong type", "POST", "/cp/postGroups", Json("{\"channelIds\":[\"{channel}\",7]}"), 400, BAD, "`channelIds[1]`"),
    ("a malformed id in a list", "POST", "/cp/postGroups", Json("{\"channelIds\":[\"abc\"]}"), 400, BAD, "`channelIds[0]`: an id is 24 lower-case hex digits"),
    ("an id in capitals", "POST", "/cp/postGroups", Json("{\"channelIds\":[\"ABCDEFABCDEFABCDEFABCDEF\"]}"), 400, BAD, "24 lower-case hex digits"),
    ("a missing field", "POST", "/cp/postGroups", Json("{}"), 400, BAD, "missing field `channelIds`"),
    ("no channels", "POST", "/cp/postGroups", Json("{\"channelIds\":[]}"), 400, INVALID, "channelIds: required"),
    ("too many channels", "POST", "/cp/postGroups", Json("{\"channelIds\":[{many}]}"), 400, INVALID, "channelIds: tooMany"),
    ("an unknown channel", "POST", "/cp/postGroups", Json("{\"channelIds\":[\"{channel}\",\"{unknown}\"]}"), 404, UNKNOWN, "channel {unknown} does not exist"),
    ("another account's channel", "POST", "/cp/postGroups", Json("{\"channelIds\":[\"{their channel}\"]}"), 404, UNKNOWN, "channel {their channel} does not exist"),
    ("a time that is none", "POST", "/cp/postGroups", Json("{\"channelIds\":[\"{channel}\"],\"publishTime\":\"tomorrow\"}"), 400, BAD, "`publishTime`"),
    ("a time without an offset", "POST", "/cp/postGroups", Json("{\"channelIds\":[\"{channel}\"],\"publishTime\":\"2031-01-01T00:00:00\"}"), 400, BAD, "`publishTime`"),
    ("30 February", "PATCH", "/cp/posts/{post}", Json("{\"publishTime\":\"2031-02-30T00:00:00Z\"}"), 400, BAD, "`publishTime`"),
    ("a year beyond", "PATCH", "/cp/posts/{post}", Json("{\"publishTime\":\"+12031-01-01T00:00:00Z\"}"), 400, INVALID, "publishTime: outOfRange"),
    ("a year before", "PATCH", "/cp/posts/{post}", Json("{\"publishTime\":\"0001-01-01T00:00:00Z\"}"), 400, INVALID, "publishTime: outOfRange"),
    ("a number for a time", "PATCH", "/cp/posts/{post}", Json("{\"publishTime\":1893456000}"), 400, BAD, "`publishTime`: invalid type: integer"),
    ("an unknown zone", "PATCH", "/cp/posts/{post}", Json("{\"publishTimeZone\":\"Europe/Atlantis\"}"), 400, INVALID, "publishTimeZone: unknownTimeZone"),
    ("an unknown zone for a group", "POST", "/cp/postGroups", Json("{\"channelIds\":[\"{channel}\"],\"publishTimeZone\":\"+02:00\"}"), 400, INVALID, "publishTimeZone: unknownTimeZone"),
    ("what is not kept", "PATCH", "/cp/posts/{post}", Json("{\"content\":{\"retweet\":{\"text\":\"a\"}}}"), 400, BAD, "`content.retweet` is not known here"),
    ("what is not kept, deep within", "PATCH", "/cp/posts/{post}", Json("{\"content\":{\"images\":[{\"id\":\"{unknown}\",\"children\":[]}]}}"), 400, BAD, "`content.images.0.children` is not known here"),
    ("a number for a text", "PATCH", "/cp/posts/{post}", Json("{\"content\":{\"text\":1}}"), 400, BAD, "`content.text`: invalid type: integer `1`"),
    ("a text for a content", "PATCH", "/cp/posts/{post}", Json("{\"content\":\"hello\"}"), 400, BAD, "`content`: invalid type: string"),
    ("an unknown type", "PATCH", "/cp/posts/{post}", Json("{\"content\":{\"type\":\"NOVEL\"}}"), 400, BAD, "`content.type`: unknown variant `NOVEL`"),
    ("deep within", "PATCH", "/cp/posts/{post}", Json("{\"content\":{\"images\":[{\"id\":\"{unknown}\",\"tags\":[{\"x\":\"left\"}]}]}}"), 400, BAD, "`content.images[0].tags[0].x`: invalid type: string"),
    ("a number that is too big", "PATCH", "/cp/posts/{post}", Json("{\"content\":{\"mentions\":[{\"offset\":99999999999}]}}"), 400, BAD, "`content.mentions[0].offset`"),
    ("a number beyond all", "PATCH", "/cp/posts/{post}", Json("{\"content\":{\"facebook\":{\"n\":1e999}}}"), 400, BAD, "number out of range"),
    ("a negative number", "PATCH", "/cp/posts/{post}", Json("{\"content\":{\"mentions\":[{\"offset\":-1}]}}"), 400, BAD, "`content.mentions[0].offset`"),
    ("a mention beyond the text", "PATCH", "/cp/posts/{post}", Json("{\"content\":{\"text\":\"a\",\"mentions\":[{\"offset\":1,\"length\":1}]}}"), 400, INVALID, "content.mentions.0: outOfRange"),
    ("settings that are no object", "PATCH", "/cp/posts/{post}", Json("{\"content\":{\"facebook\":[]}}"), 400, INVALID, "content.facebook: invalidSettings"),
    ("a link that runs", "PATCH", "/cp/posts/{post}", Json("{\"content\":{\"images\":[{\"id\":\"{unknown}\",\"link\":\"javascript:alert(1)\"}]}}"), 400, INVALID, "content.images.0.link: invalidUrl"),
    ("a long text", "PATCH", "/cp/posts/{post}", Long(100_001), 400, INVALID, "content.text: tooLong"),
    ("a tag that is no id", "PATCH", "/cp/posts/{post}", Json("{\"tags\":[\"news\"]}"), 400, BAD, "`tags[0]`"),
    ("a tag twice", "PATCH", "/cp/posts/{post}", Json("{\"tags\":[\"{unknown}\",\"{unknown}\"]}"), 400, INVALID, "tags: notUnique"),
    ("null for tags within", "PATCH", "/cp/posts/{post}", Json("{\"tags\":[null]}"), 400, BAD, "`tags[0]`"),
    ("a text for a flag", "PATCH", "/cp/posts/{post}", Json("{\"flags\":{\"needsAttention\":\"no\"}}"), 400, BAD, "`flags.needsAttention`"),
    ("an unknown assignee", "PATCH", "/cp/posts/{post}", Json("{\"assignee\":\"{unknown}\"}"), 400, INVALID, "assignee: unknownUser"),
    ("another account's user", "PATCH", "/cp/posts/{post}", Json("{\"assignee\":\"{their user}\"}"), 400, INVALID, "assignee: unknownUser"),
    ("an unknown publisher", "PATCH", "/cp/posts/{post}", Json("{\"storyWorkaround\":{\"publisher\":\"{unknown}\"}}"), 400, INVALID, "storyWorkaround.publisher: unknownUser"),
    ("no publisher", "PATCH", "/cp/posts/{post}", Json("{\"storyWorkaround\":{}}"), 400, BAD, "missing field `publisher`"),
    ("a comment that says nothing", "POST", "/cp/posts/{post}/feed", Json("{\"message\":\" \\n\"}"), 400, INVALID, "message: required"),
    ("no comment", "POST", "/cp/posts/{post}/feed", Json("{}"), 400, BAD, "missing field `message`"),
    ("an unknown mention", "POST", "/cp/posts/{post}/feed", Json("{\"message\":\"a\",\"mentions\":[\"{unknown}\"]}"), 400, INVALID, "mentions: unknownUser"),
    ("another account's mention", "POST", "/cp/posts/{post}/feed", Json("{\"message\":\"a\",\"mentions\":[\"{their user}\"]}"), 400, INVALID, "mentions: unknownUser"),
    ("too many mentions", "POST", "/cp/posts/{post}/feed", Json("{\"message\":\"a\",\"mentions\":[{many}]}"), 400, INVALID, "mentions: tooMany"),
    ("a number for a message", "POST", "/cp/posts/{post}/reject", Json("{\"message\":1}"), 400, BAD, "`message`"),
    ("a channel without a name", "POST", "/channels/sandbox", Json("{\"socialNetwork\":\"TWITTER\"}"), 400, BAD, "missing field `name`"),
    ("a channel with an empty name", "POST", "/channels/sandbox", Json("{\"name\":\" \",\"socialNetwork\":\"TWITTER\"}"), 400, INVALID, "name: required"),
    ("a channel with a long name", "POST", "/channels/sandbox", Json("{\"name\":\"012345678901234567890123456789012345678901234567890\",\"socialNetwork\":\"TWITTER\"}"), 400, INVALID, "name: tooLong"),
    ("an unknown network", "POST", "/channels/sandbox", Json("{\"name\":\"a\",\"socialNetwork\":\"MYSPACE\"}"), 400, BAD, "`socialNetwork`: unknown variant `MYSPACE`"),
    ("a sandbox that plays a placeholder", "POST", "/channels/sandbox", Json("{\"name\":\"a\",\"socialNetwork\":\"PLACEHOLDERS\"}"), 400, INVALID, "socialNetwork: notForSandbox"),
    ("an unknown behaviour", "PUT", "/channels/sandbox/{channel}/behaviour", Json("{\"behaviour\":\"explode\"}"), 400, BAD, "`behaviour` must be one of accept"),
    ("a delay without end", "PUT", "/channels/sandbox/{channel}/behaviour", Json("{\"behaviour\":\"accept\",\"delayMs\":60001}"), 400, BAD, "`delayMs` must be at most 60000"),
    ("a negative delay", "PUT", "/channels/sandbox/{channel}/behaviour", Json("{\"behaviour\":\"accept\",\"delayMs\":-1}"), 400, BAD, "`delayMs`"),
    ("a placeholder without a name", "POST", "/channels/placeholder", Json("{}"), 400, INVALID, "name: required"),
    ("a placeholder with no address", "POST", "/channels/placeholder", Json("{\"name\":\"a\",\"recipients\":[\"ann\"],\"emailAdvance\":1}"), 400, INVALID, "recipients.0: invalidEmail"),
    ("a recipient twice", "POST", "/channels/placeholder", Json("{\"name\":\"a\",\"recipients\":[\"a@b.org\",\"A@B.org\"],\"emailAdvance\":1}"), 400, INVALID, "recipients: notUnique"),
    ("recipients without a time", "POST", "/channels/placeholder", Json("{\"name\":\"a\",\"recipients\":[\"a@b.org\"]}"), 400, INVALID, "emailAdvance: required"),
    ("a time without recipients", "POST", "/channels/placeholder", Json("{\"name\":\"a\",\"emailAdvance\":1}"), 400, INVALID, "recipients: required"),
    ("a time too early", "POST", "/channels/placeholder", Json("{\"name\":\"a\",\"recipients\":[\"a@b.org\"],\"emailAdvance\":1441}"), 400, INVALID, "emailAdvance: tooBig"),
    ("a time that is far too early", "POST", "/channels/placeholder", Json("{\"name\":\"a\",\"recipients\":[\"a@b.org\"],\"emailAdvance\":70000}"), 400, BAD, "`emailAdvance`"),
    ("a placeholder of an unknown network", "POST", "/channels/placeholder", Json("{\"name\":\"a\",\"network\":\"MYSPACE\"}"), 400, INVALID, "network: unknownNetwork"),
    ("a picture that is no address", "POST", "/channels/placeholder", Json("{\"name\":\"a\",\"imageUrl\":\"print.png\"}"), 400, INVALID, "imageUrl: invalidUrl"),
    ("an unknown placeholder", "POST", "/channels/placeholder?channelId={unknown}", Json("{}"), 404, UNKNOWN, ""),
    ("another account's placeholder", "POST", "/channels/placeholder?channelId={their channel}", Json("{}"), 404, UNKNOWN, ""),
    ("a filter of the wrong type", "POST", "/cp/posts", Json("{\"status\":7}"), 400, BAD, "`status`: expected a text or a list of texts"),
    ("a filter by an unknown status", "POST", "/cp/posts", Json("{\"status\":[\"draft\",\"gone\"]}"), 400, BAD, "`status`: unknown variant `gone`"),
    ("a filter by a text for a flag", "POST", "/cp/posts", Json("{\"imported\":\"true\"}"), 400, BAD, "`imported`"),
    ("a filter by a malformed id", "POST", "/cp/posts", Json("{\"channelIds\":[\"x\"]}"), 400, BAD, "`channelIds`"),
    ("a filter that nobody knows", "POST", "/cp/posts", Json("{\"statsu\":\"draft\"}"), 400, BAD, "`statsu`"),
    ("a count out of range", "POST", "/cp/posts", Json("{\"count\":501}"), 400, BAD, "`count` must be between 0 and 500, is 501"),
    ("days without a range", "POST", "/cp/posts/aggregates/day", Json("{\"since\":\"2031-01-01T00:00:00Z\"}"), 400, BAD, "missing field `until`"),
    ("days backwards", "POST", "/cp/posts/aggregates/day", Json("{\"since\":\"2031-01-02T00:00:00Z\",\"until\":\"2031-01-01T00:00:00Z\"}"), 400, BAD, "`until` lies before `since`"),
    ("401 days", "POST", "/cp/posts/aggregates/day", Json("{\"since\":\"2031-01-01T00:00:00Z\",\"until\":\"2032-02-06T00:00:00Z\"}"), 400, BAD, "more than 400 days"),
    ("days in no zone", "POST", "/cp/posts/aggregates/day", Json("{\"since\":\"2031-01-01T00:00:00Z\",\"until\":\"2031-01-02T00:00:00Z\",\"tz\":\"Mars/Olympus\"}"), 400, BAD, "`tz`"),
    ("days of a filter that nobody knows", "POST", "/cp/posts/aggregates/day", Json("{\"since\":\"2031-01-01T00:00:00Z\",\"until\":\"2031-01-02T00:00:00Z\",\"channels\":[]}"), 400, BAD, "`channels`"),
    ("days of a malformed team", "POST", "/cp/posts/aggregates/day/list?since=2031-01-01T00:00:00Z&until=2031-01-02T00:00:00Z", Json("{\"teamIds\":[\"us\"]}"), 400, BAD, "`teamIds[0]`"),
    ("a list of days without a body", "POST", "/cp/posts/aggregates/day/list?since=2031-01-01T00:00:00Z&until=2031-01-02T00:00:00Z", Nothing, 415, "UnsupportedMediaType", ""),
    ("a list of days without a range", "POST", "/cp/posts/aggregates/day/list", Json("{}"), 400, BAD, "query parameter `since` is missing"),
    ("a list of 401 days", "POST", "/cp/posts/aggregates/day/list?since=2031-01-01T00:00:00Z&until=2032-02-06T00:00:00Z", Json("{}"), 400, BAD, "more than 400 days"),
    ("a list of days in no zone", "POST", "/cp/posts/aggregates/day/list?since=2031-01-01T00:00:00Z&until=2031-01-02T00:00:00Z&tz=x", Json("{}"), 400, BAD, "`tz`"),
];

#[rustfmt::skip]
const PATHS: &[Case] = &[
    ("a misspelt filter", "GET", "/cp/posts?statsu=draft", Nothing, 400, BAD, "query parameter `statsu` is not known here"),
    ("a filter of another route", "GET", "/channels?since=2031-01-01T00:00:00Z", Nothing, 400, BAD, "query parameter `since` is not known here"),
    ("a page where there are none", "GET", "/channels/summary?count=5", Nothing, 400, BAD, "query parameter `count` is not known here"),
    ("a filter where there are none", "GET", "/cp/posts/counts?status=draft", Nothing, 400, BAD, "query parameter `status` is not known here"),
    ("a parameter for one post", "GET", "/cp/posts/{post}?fields=text", Nothing, 400, BAD, "query parameter `fields` is not known here"),
    ("a parameter for a move", "POST", "/cp/posts/{post}/suggest?force=true", Nothing, 400, BAD, "query parameter `force` is not known here"),
    ("a parameter for a feed", "GET", "/cp/posts/{post}/feed?type=COMMENT", Nothing, 400, BAD, "query parameter `type` is not known here"),
    ("a parameter for a group", "DELETE", "/cp/postGroups/{unknown}?force=true", Nothing, 400, BAD, "query parameter `force` is not known here"),
    ("an unknown status", "GET", "/cp/posts?status=gone", Nothing, 400, BAD, "query parameter `status`: unknown variant `gone`"),
    ("deleted is no status to ask for", "GET", "/cp/posts?status=deleted", Nothing, 400, BAD, "`status` can not be `deleted`"),
    ("an unknown type", "GET", "/cp/posts?type=post", Nothing, 400, BAD, "query parameter `type`"),
    ("an unknown order", "GET", "/cp/posts?order=up", Nothing, 400, BAD, "query parameter `order`"),
    ("an unknown sort", "GET", "/cp/posts?sortBy=text", Nothing, 400, BAD, "query parameter `sortBy`"),
    ("an unknown grouping", "GET", "/cp/posts?groupBy=channel", Nothing, 400, BAD, "query parameter `groupBy`"),
    ("a parameter twice", "GET", "/cp/posts?order=asc&order=desc", Nothing, 400, BAD, "query parameter `order`: takes one value"),
    ("a flag that is none", "GET", "/cp/posts?imported=1", Nothing, 400, BAD, "must be true or false, is `1`"),
    ("a malformed channel", "GET", "/cp/posts?channelIds=abc", Nothing, 400, BAD, "query parameter `channelIds`"),
    ("a malformed channel among others", "GET", "/cp/posts?channelIds={channel},", Nothing, 400, BAD, "query parameter `channelIds`"),
    ("a malformed group", "GET", "/cp/posts?postGroupId=1", Nothing, 400, BAD, "query parameter `postGroupId`"),
    ("a selected post without its group", "GET", "/cp/posts?selectedPostId={post}", Nothing, 400, BAD, "`selectedPostId` needs `postGroupId`"),
    ("a selected post among groups", "GET", "/cp/posts?selectedPostId={post}&postGroupId={group}&groupBy=postGroup", Nothing, 400, BAD, "do not go together"),
    ("a date that is none", "GET", "/cp/posts?since=yesterday", Nothing, 400, BAD, "query parameter `since`"),
    ("a day without a time", "GET", "/cp/posts?since=2031-01-01", Nothing, 400, BAD, "query parameter `since`"),
    ("a plus that became a space", "GET", "/cp/posts?since=2031-01-01T00:00:00+01:00", Nothing, 400, BAD, "query parameter `since`"),
    ("a range backwards", "GET", "/cp/posts?since=2031-01-02T00:00:00Z&until=2031-01-01T00:00:00Z", Nothing, 400, BAD, "`until` lies before `since`"),
    ("a year beyond", "GET", "/cp/posts?until=%2B262000-01-01T00:00:00Z", Nothing, 400, BAD, "`until` must lie between the years 1970 and 9999"),
    ("a count below", "GET", "/cp/posts?count=-1", Nothing, 400, BAD, "`count` must be between 0 and 500, is -1"),
    ("a count above", "GET", "/cp/posts?count=501", Nothing, 400, BAD, "`count` must be between 0 and 500, is 501"),
    ("a count that is none", "GET", "/channels?count=many", Nothing, 400, BAD, "query parameter `count`: must be a whole number, is `many`"),
    ("half a count", "GET", "/channels?count=1.5", Nothing, 400, BAD, "query parameter `count`: must be a whole number"),
    ("an offset below", "GET", "/channels?offset=-1", Nothing, 400, BAD, "`offset` must be between 0 and 100000, is -1"),
    ("an offset above", "GET", "/cp/posts/{post}/feed?offset=100001", Nothing, 400, BAD, "`offset` must be between 0 and 100000, is 100001"),
    ("an offset beyond all numbers", "GET", "/channels/sandbox/{channel}/items?offset=99999999999999999999", Nothing, 400, BAD, "query parameter `offset`"),
    ("U+0000 in a query", "GET", "/cp/posts?search=a%00b", Nothing, 400, BAD, "query parameter `search` holds the character U+0000"),
    ("U+0000 in a name of a query", "GET", "/cp/posts?se%00arch=a", Nothing, 400, BAD, "U+0000"),
    ("invalid UTF-8 in a query", "GET", "/channels?search=%ff%fe", Nothing, 400, BAD, "the query string is not percent-encoded UTF-8"),
    ("a search without end", "GET", "/cp/posts?search={long}", Nothing, 400, BAD, "`search` takes at most 500 characters"),
    ("a search for channels without end", "GET", "/channels?search={long}", Nothing, 400, BAD, "`search` takes at most 500 characters"),
    ("an unknown product", "GET", "/channels?product=ads", Nothing, 400, BAD, "query parameter `product`"),
    ("an unknown channel status", "GET", "/channels?status=away", Nothing, 400, BAD, "query parameter `status`"),
    ("a malformed team", "GET", "/channels/summary?teamIds=us", Nothing, 400, BAD, "query parameter `teamIds`"),
    ("a malformed placeholder", "POST", "/channels/placeholder?channelId=x", Json("{}"), 400, BAD, "query parameter `channelId`"),
    ("a force that is no flag", "DELETE", "/cp/posts/{post}?force=yes", Nothing, 400, BAD, "query parameter `force`"),
    ("a malformed post", "GET", "/cp/posts/abc", Nothing, 400, BAD, "`id` in the path: an id is 24 lower-case hex digits"),
    ("a post in capitals", "GET", "/cp/posts/ABCDEFABCDEFABCDEFABCDEF", Nothing, 400, BAD, "`id` in the path"),
    ("a post with a quote", "PATCH", "/cp/posts/'%20OR%201=1", Json("{}"), 400, BAD, "`id` in the path"),
    ("a post that is no UTF-8", "GET", "/cp/posts/%ff", Nothing, 400, BAD, ""),
    ("a malformed post to move", "POST", "/cp/posts/1/schedule", Nothing, 400, BAD, "`id` in the path"),
    ("a malformed group", "DELETE", "/cp/postGroups/1", Nothing, 400, BAD, "`id` in the path"),
    ("a malformed sandbox", "GET", "/channels/sandbox/1/items", Nothing, 400, BAD, "`id` in the path"),
    ("an unknown post", "GET", "/cp/posts/{unknown}", Nothing, 404, UNKNOWN, "there is no such post"),
    ("an unknown post to change", "PATCH", "/cp/posts/{unknown}", Json("{}"), 404, UNKNOWN, "there is no such post"),
    ("an unknown post to delete", "DELETE", "/cp/posts/{unknown}", Nothing, 404, UNKNOWN, "there is no such post"),
    ("an unknown post to publish", "POST", "/cp/posts/{unknown}/publish", Nothing, 404, UNKNOWN, "there is no such post"),
    ("an unknown post's feed", "GET", "/cp/posts/{unknown}/feed", Nothing, 404, UNKNOWN, "there is no such post"),
    ("an unknown post to comment", "POST", "/cp/posts/{unknown}/feed", Json("{\"message\":\"a\"}"), 404, UNKNOWN, "there is no such post"),
    ("an unknown group", "POST", "/cp/postGroups/{unknown}/saveAsDraft", Nothing, 404, UNKNOWN, "there is no such post group"),
    ("an unknown sandbox", "GET", "/channels/sandbox/{unknown}/items", Nothing, 404, UNKNOWN, ""),
    ("an unknown channel to read", "GET", "/channels/{unknown}", Nothing, 404, UNKNOWN, "there is no such channel"),
    ("an unknown channel to delete", "DELETE", "/channels/{unknown}", Nothing, 404, UNKNOWN, "there is no such channel"),
    ("a malformed channel to read", "GET", "/channels/one", Nothing, 400, BAD, "`id` in the path"),
    ("a channel to be deleted fully", "DELETE", "/channels/{channel}?fullDeletion=true", Nothing, 403, "AccessDenied", "super administrators"),
    ("a page of groups that is too long", "GET", "/cp/posts?groupBy=postGroup&count=101", Nothing, 400, BAD, "`count` must be between 0 and 100 with `groupBy`"),
    ("a post for a group", "DELETE", "/cp/postGroups/{post}", Nothing, 404, UNKNOWN, "there is no such post group"),
    ("a placeholder for a sandbox", "PUT", "/channels/sandbox/{placeholder}/behaviour", Json("{\"behaviour\":\"accept\"}"), 404, UNKNOWN, "no such sandbox channel"),
    ("another account's post", "GET", "/cp/posts/{their post}", Nothing, 404, UNKNOWN, "there is no such post"),
    ("a path that is not there", "GET", "/cp/nothing", Nothing, 404, UNKNOWN, "/docs"),
    ("a slash too many", "GET", "/cp/posts/", Nothing, 404, UNKNOWN, ""),
    ("a path in capitals", "GET", "/CP/posts", Nothing, 404, UNKNOWN, ""),
    ("a path that climbs", "GET", "/cp/..%2f..%2fetc%2fpasswd", Nothing, 404, UNKNOWN, ""),
    ("PUT on a list", "PUT", "/cp/posts", Nothing, 405, "MethodNotAllowedError", "GET, HEAD, POST"),
    ("DELETE on a list", "DELETE", "/channels", Nothing, 405, "MethodNotAllowedError", "GET, HEAD"),
    ("GET on a move", "GET", "/cp/posts/{post}/schedule", Nothing, 405, "MethodNotAllowedError", "POST"),
    ("OPTIONS", "OPTIONS", "/cp/posts/{post}", Nothing, 405, "MethodNotAllowedError", "DELETE, GET, HEAD, PATCH"),
    ("a method of one's own", "PLAN", "/cp/posts", Nothing, 405, "MethodNotAllowedError", "GET, HEAD, POST"),
    ("DELETE on the word counts", "DELETE", "/cp/posts/counts", Nothing, 405, "MethodNotAllowedError", "GET, HEAD"),
    ("schedule without a time", "POST", "/cp/posts/{post}/schedule", Nothing, 409, "ConflictError", "publishTime"),
    ("schedule in the past", "POST", "/cp/posts/{past}/schedule", Nothing, 400, INVALID, "publishTime: publishTimeNotInFuture"),
    ("a tweet that is too long", "POST", "/cp/posts/{long tweet}/publish", Nothing, 400, INVALID, "content.text: "),
    ("an empty post", "POST", "/cp/posts/{empty}/publish", Nothing, 400, INVALID, "content: requireTextLinkImageOrVideo"),
];

/// An account with a little of everything that the cases name.
struct Stage {
    admin: Client,
    names: Vec<(&'static str, String)>,
}

impl Stage {
    async fn set() -> (std::sync::Arc<palaver_tests::Service>, Self) {
        let service = shared().await;
        let (account, other) = (service.account("Clumsy").await, service.account("Others").await);
        let (admin, their) = (account.admin().clone(), other.admin());
        let (channel, twitter) = (admin.sandbox("One").await, admin.sandbox_on("Two", "TWITTER").await);
        let placeholder = admin.post("/api2/channels/placeholder").json(json!({ "name": "Print" })).await.ok().id();
        let post = admin.draft(&channel, "a text").await;
        let group = admin.read(&post).await["postGroupId"].as_str().unwrap().to_owned();
        let past = admin.draft(&channel, "past").await;
        admin.edit(&past, json!({ "publishTime": hours_from_now(-1) })).await;
        let long_tweet = admin.draft(&twitter, &"z".repeat(281)).await;
        let empty = admin.draft(&channel, "").await;
        let their_channel = their.sandbox("Theirs").await;
        let their_post = their.draft(&their_channel, "theirs").await;
        let many: Vec<_> = (0..101).map(|n| format!("\"{n:024x}\"")).collect();
        let names = vec![
            ("channel", channel),
            ("placeholder", placeholder),
            ("post", post),
            ("group", group),
            ("past", past),
            ("long tweet", long_tweet),
            ("empty", empty),
            ("unknown", "0123456789abcdef01234567".to_owned()),
            ("their channel", their_channel),
            ("their post", their_post),
            ("their user", their.user.clone().unwrap()),
            ("many", many.join(",")),
            ("long", "a".repeat(501)),
            ("deep", format!("\"a\":{}{}", "[".repeat(200), "]".repeat(200))),
        ];
        (service, Self { admin, names })
    }

    fn fill(&self, text: &str) -> String {
        let filled = |text: String, (name, value): &(&str, String)| match *name {
            // Stands for a field of the object around it.
            "deep" => text.replace("{deep}", &format!("{{{value}}}")),
            name => text.replace(&format!("{{{name}}}"), value),
        };
        self.names.iter().fold(text.to_owned(), filled)
    }

    async fn ask(&self, method: &str, path: &str, body: Body) -> Answer {
        let request = self.admin.request(method.parse::<Method>().unwrap(), &format!("/api2{}", self.fill(path)));
        let json = "application/json";
        match body {
            Nothing => request.await,
            Json(text) => request.header("content-type", json).body(self.fill(text)).await,
            Bytes(bytes) => request.header("content-type", json).body(bytes).await,
            As(kind, text) => request.header("content-type", kind).body(self.fill(text)).await,
            Long(chars) => request.json(json!({ "content": { "text": "x".repeat(chars) } })).await,
            Deep(levels) => request.header("content-type", json).body("[".repeat(levels)).await,
        }
    }
}

/// The one shape of an error.
#[track_caller]
pub fn shaped(answer: &Answer, name: &str) {
    let fields: BTreeSet<_> = answer.body.as_object().unwrap_or_else(|| panic!("{name}: no object")).keys().collect();
    let known = ["code", "message", "errors"];
    assert!(fields.iter().all(|field| known.contains(&field.as_str())), "{name}: {fields:?}");
    assert!(answer.body["message"].as_str().is_some_and(|message| !message.is_empty()), "{name}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{name}");
    assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()), "{name}");
    assert!(answer.header("palaver-position").is_none(), "{name}: nothing was written");
    if let Some(errors) = answer.body.get("errors") {
        let codes = errors.as_object().unwrap().values().flat_map(|codes| codes.as_array().unwrap());
        assert!(codes.clone().count() > 0 && codes.clone().all(Value::is_string), "{name}: {errors}");
    }
}

/// The message, and the fields with their codes as `field: code, code`.
fn told(answer: &Answer) -> String {
    let errors = answer.body["errors"].as_object();
    let errors = errors.into_iter().flatten().map(|(field, codes)| {
        let codes: Vec<_> = codes.as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
        format!("{field}: {}", codes.join(", "))
    });
    std::iter::once(answer.text("message")).chain(errors).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_mistake_gets_its_own_answer() {
    let (_service, stage) = Stage::set().await;
    let before = stage.admin.get("/api2/cp/posts").await.ok().body;
    let mut wrong = Vec::new();
    for (name, method, path, body, status, code, says) in BODIES.iter().chain(PATHS).copied() {
        let answer = stage.ask(method, path, body).await;
        let says = stage.fill(says);
        let as_told =
            (answer.status, answer.body["code"].as_str()) == (status, Some(code)) && told(&answer).contains(&says);
        if !as_told {
            let answered: String = answer.body.to_string().chars().take(300).collect();
            wrong.push(format!(
                "{name}: {method} {path} is {status} {code} ({says})\n    not {} {answered}",
                answer.status
            ));
            continue;
        }
        shaped(&answer, name);
        if status == 405 {
            assert_eq!(answer.header("allow"), Some(says.as_str()), "{name}");
        }
        if status == 413 {
            assert_eq!(
                answer.header("connection"),
                Some("close"),
                "{name}: the next request needs a connection of its own"
            );
        }
    }
    let cases = BODIES.len() + PATHS.len();
    assert!(wrong.is_empty(), "{} of {cases} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(stage.admin.get("/api2/cp/posts").await.ok().body, before, "none of it changed anything");
    stage.admin.get("/api2/cp/postGroups/preDraft").await.is(404, UNKNOWN);
}

#[tokio::test]
async fn headers_are_checked_like_everything_else() {
    let (_service, stage) = Stage::set().await;
    let long = "k".repeat(256);
    let token = stage.admin.token().unwrap().to_owned();
    for (name, path, headers, status, code, says) in [
        ("Accept without JSON", "/cp/posts", vec![("accept", "text/html")], 406, "NotAcceptableError", "Accept"),
        (
            "Accept that refuses JSON",
            "/cp/posts",
            vec![("accept", "*/*, application/json;q=0")],
            406,
            "NotAcceptableError",
            "Accept",
        ),
        ("an empty key", "/cp/posts", vec![("idempotency-key", "")], 400, BAD, "1 to 255"),
        ("a key with a space", "/cp/posts", vec![("idempotency-key", "a b")], 400, BAD, "visible ASCII"),
        ("a long key", "/cp/posts", vec![("idempotency-key", long.as_str())], 400, BAD, "1 to 255"),
        ("two keys", "/cp/posts", vec![("idempotency-key", "a"), ("idempotency-key", "b")], 400, BAD, "more than once"),
        (
            "a position that is none",
            "/cp/posts",
            vec![("palaver-min-position", "last")],
            400,
            BAD,
            "Palaver-Min-Position",
        ),
        ("a negative position", "/cp/posts", vec![("palaver-min-position", "-1")], 400, BAD, "Palaver-Min-Position"),
        (
            "a position beyond",
            "/cp/posts",
            vec![("palaver-min-position", "99999999999999999999")],
            400,
            BAD,
            "Palaver-Min-Position",
        ),
        (
            "two positions",
            "/channels",
            vec![("palaver-min-position", "1"), ("palaver-min-position", "2")],
            400,
            BAD,
            "more than once",
        ),
        ("two different tokens", "/cp/posts?accesstoken=another", vec![], 400, BAD, "token"),
        ("two headers with tokens", "/cp/posts", vec![("authorization", "Bearer another")], 400, BAD, "token"),
        (
            "another scheme",
            "/cp/posts",
            vec![("authorization", "Basic YTpi")],
            401,
            "AccessTokenInvalidError",
            "Bearer",
        ),
    ] {
        let request = stage.admin.get(&format!("/api2{path}"));
        let answer = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value)).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (status, Some(code)), "{name}: {}", answer.body);
        assert!(told(&answer).contains(says), "{name}: {}", told(&answer));
        shaped(&answer, name);
    }
    // The same token twice is no contradiction.
    stage.admin.get(&format!("/api2/cp/posts?accesstoken={token}")).await.ok();
    let anonymous = stage.admin.get("/api2/cp/posts").header("accept", "text/html;q=0.9, */*;q=0.1");
    anonymous.await.ok();
    // HEAD is GET without the body, also when it fails.
    for (path, status) in [("/cp/posts", 200), ("/cp/posts/abc", 400), ("/cp/nothing", 404)] {
        let answer = stage.admin.request(Method::HEAD, &format!("/api2{path}")).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, Some("")), "{path}");
        assert!(answer.header("x-request-id").is_some());
    }
    let head = stage.admin.request(Method::HEAD, &stage.fill("/api2/cp/posts/{post}/schedule")).await;
    assert_eq!((head.status, head.header("allow")), (405, Some("POST")));
}

/// What HTTP libraries refuse to send, byte by byte.
#[tokio::test]
async fn broken_requests_get_an_answer_or_an_end_and_harm_nobody() {
    let (service, stage) = Stage::set().await;
    let url = service.endpoint().url();
    let address = url.strip_prefix("http://").unwrap();
    let token = stage.admin.token().unwrap();
    let head = |line: &str, headers: &str| {
        format!(
            "{line} HTTP/1.1\r\nHost: palaver\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n{headers}\r\n"
        )
    };
    let json = "Content-Type: application/json\r\n";
    let endless = "x".repeat(1_200_000);
    let chunked = format!("{:x}\r\n{endless}\r\n0\r\n\r\n", endless.len());
    for (name, request, status) in [
        ("no HTTP at all", "HELLO\r\n\r\n".to_owned(), "HTTP/1.1 400"),
        (
            "a body that announces too much",
            head("POST /api2/cp/postGroups", &format!("{json}Content-Length: 99999999\r\n")),
            "HTTP/1.1 413",
        ),
        (
            "a body that only shows to be too much",
            head("POST /api2/cp/postGroups", &format!("{json}Transfer-Encoding: chunked\r\n")) + &chunked,
            "HTTP/1.1 413",
        ),
        (
            "the same with a key",
            head("POST /api2/cp/postGroups", &format!("{json}Idempotency-Key: k\r\nTransfer-Encoding: chunked\r\n"))
                + &chunked,
            "HTTP/1.1 413",
        ),
        (
            "a length that is none",
            head("POST /api2/cp/postGroups", &format!("{json}Content-Length: many\r\n")),
            "HTTP/1.1 400",
        ),
        (
            "two lengths",
            head("POST /api2/cp/postGroups", &format!("{json}Content-Length: 2\r\nContent-Length: 3\r\n")) + "{}",
            "HTTP/1.1 400",
        ),
        (
            "a header without end",
            head("GET /api2/cp/posts", &format!("X-Long: {}\r\n", "y".repeat(300_000))),
            "HTTP/1.1 431",
        ),
        ("a path without end", head(&format!("GET /api2/cp/posts?search={}", "z".repeat(300_000)), ""), "HTTP/1.1 4"),
        ("a key beyond ASCII", head("GET /api2/cp/posts", "Idempotency-Key: k\u{e4}\r\n"), "HTTP/1.1 400"),
        (
            "a request id that would break the log",
            head("GET /api2/cp/posts", "X-Request-Id: {\"a\": 1}\r\n"),
            "HTTP/1.1 200",
        ),
        ("an absolute address", head("GET http://elsewhere.example/api2/cp/posts/counts", ""), "HTTP/1.1 200"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The service may have said no and hung up before it took everything.
        let (_sent, mut answer) = (stream.write_all(request.as_bytes()).await, Vec::new());
        let _whole = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(status), "{name}: {answer}");
    }
    // Half a body and away.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let half = head("POST /api2/cp/postGroups", &format!("{json}Content-Length: 500\r\n")) + "{\"channelIds\":[";
    stream.write_all(half.as_bytes()).await.unwrap();
    drop(stream);
    assert_eq!(stage.admin.get("/healthz").await.ok().body["alive"], true);
}
