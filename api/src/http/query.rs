//! Query strings as typed values. A list may come as `a=1&a=2`, `a[]=1`, `a[0]=1` or `a=1,2`; numbers and booleans
//! are read strictly; a name that nobody asked for is an error, because a misspelt filter would silently answer more.
//!
//! Source: seed 003, filters described as "an array or string".

use std::cell::RefCell;

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

use super::ApiError;
use crate::auth::ACCESSTOKEN;

/// Different names in one query; each pair is looked up among them.
const PARAMETERS_MAX: usize = 200;
/// Names that [`super::Paging`] takes from the same query.
const TAKEN_ELSEWHERE: [&str; 2] = ["offset", "count"];

/// The query as a `T`. Fields of `T` are scalars, unit enums, options and lists of these; `flatten` does not work,
/// since it forgets the types that the text has to be read as.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> Query<T> {
    /// # Errors
    /// `BadRequestError` that names the parameter.
    pub fn parse(query: &str) -> Result<T, ApiError> {
        let (value, unknown) = read(query)?;
        match unknown.iter().find(|name| !TAKEN_ELSEWHERE.contains(&name.as_str())) {
            Some(name) => Err(ApiError::bad_request(unknown_name(name))),
            None => Ok(value),
        }
    }

    /// As [`Query::parse`], leaving names that `T` does not know to others.
    pub(super) fn parse_leniently(query: &str) -> Result<T, ApiError> {
        read(query).map(|(value, _)| value)
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn unknown_name(name: &str) -> String {
    format!("query parameter `{name}` is not known here")
}

/// # Errors
/// `BadRequestError` when a name, the token's aside, is none of `known`.
pub(super) fn check_names(query: &str, known: &[String]) -> Result<(), ApiError> {
    for (name, _) in pairs(query)? {
        let (base, _) = split_index(&name);
        if base != ACCESSTOKEN && !known.iter().any(|known| known == base) {
            return Err(ApiError::bad_request(unknown_name(&name)));
        }
    }
    Ok(())
}

/// Names and values in order, decoded.
///
/// # Errors
/// `BadRequestError` when a character can not be stored, or is none.
pub(crate) fn pairs(query: &str) -> Result<Vec<(String, String)>, ApiError> {
    // Left to itself, the parser would put another character in the place of what is none.
    if percent_encoding::percent_decode_str(query).decode_utf8().is_err() {
        return Err(ApiError::bad_request("the query string is not percent-encoded UTF-8"));
    }
    let pairs: Vec<(String, String)> = serde_html_form::from_str(query)
        .map_err(|error| ApiError::bad_request(format!("the query string can not be read: {error}")))?;
    match pairs.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
        Some((name, _)) => {
            let name = name.replace('\0', "\\0");
            Err(ApiError::bad_request(format!("query parameter `{name}` holds the character U+0000")))
        }
        None => Ok(pairs),
    }
}

fn read<T: DeserializeOwned>(query: &str) -> Result<(T, Vec<String>), ApiError> {
    let mut pairs = pairs(query)?;
    pairs.retain(|(name, _)| name != ACCESSTOKEN);
    let fields = gather(pairs)?;
    let unknown = RefCell::new(Vec::new());
    let source = Fields { fields: fields.iter(), current: None, unknown: &unknown };
    let value = T::deserialize(source).map_err(|QueryError(message)| ApiError::bad_request(message))?;
    Ok((value, unknown.into_inner()))
}

/// One parameter with all its values.
#[derive(Debug)]
struct Field {
    name: String,
    values: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    index: usize,
    /// A value under `name[]` stands for itself; one under the bare name is split at commas when a list is wanted.
    bracketed: bool,
    text: String,
}

fn gather(pairs: Vec<(String, String)>) -> Result<Vec<Field>, ApiError> {
    let mut fields: Vec<Field> = Vec::new();
    for (name, text) in pairs {
        let (name, index) = split_index(&name);
        let item = Item { index: index.flatten().unwrap_or(0), bracketed: index.is_some(), text };
        let names = fields.len();
        match fields.iter_mut().find(|field| field.name == name) {
            Some(field) => field.values.push(item),
            None if names == PARAMETERS_MAX => {
                let message = format!("the query has more than {PARAMETERS_MAX} different parameters");
                return Err(ApiError::bad_request(message));
            }
            None => fields.push(Field { name: name.to_owned(), values: vec![item] }),
        }
    }
    for field in &mut fields {
        field.values.sort_by_key(|item| item.index);
    }
    Ok(fields)
}

/// `a` is bare, `a[]` is bracketed, `a[3]` has an index; anything else in brackets is part of the name.
fn split_index(name: &str) -> (&str, Option<Option<usize>>) {
    let Some((base, index)) = name.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) else {
        return (name, None);
    };
    if index.is_empty() {
        return (base, Some(None));
    }
    match index.parse() {
        Ok(index) if index_is_digits(name) => (base, Some(Some(index))),
        _ => (name, None),
    }
}

fn index_is_digits(name: &str) -> bool {
    name.rsplit_once('[')
        .is_some_and(|(_, index)| index.trim_end_matches(']').bytes().all(|byte| byte.is_ascii_digit()))
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct QueryError(String);

impl de::Error for QueryError {
    fn custom<M: std::fmt::Display>(message: M) -> Self {
        Self(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self(format!("query parameter `{field}` is missing"))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self(unknown_name(field))
    }
}

struct Fields<'a> {
    fields: std::slice::Iter<'a, Field>,
    current: Option<&'a Field>,
    unknown: &'a RefCell<Vec<String>>,
}

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = QueryError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = QueryError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, QueryError> {
        self.current = self.fields.next();
        let Some(field) = self.current else { return Ok(None) };
        let name: StrDeserializer<'_, QueryError> = field.name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, QueryError> {
        let field = self.current.take().ok_or_else(|| QueryError("a value without a name".to_owned()))?;
        seed.deserialize(Value { field, unknown: self.unknown })
            .map_err(|QueryError(message)| QueryError(format!("query parameter `{}`: {message}", field.name)))
    }
}

/// All that was given under one name.
struct Value<'a> {
    field: &'a Field,
    unknown: &'a RefCell<Vec<String>>,
}

impl<'a> Value<'a> {
    fn single(&self) -> Result<&'a str, QueryError> {
        match self.field.values.as_slice() {
            [item] => Ok(&item.text),
            _ => Err(QueryError("takes one value".to_owned())),
        }
    }

    fn list(&self) -> Vec<&'a str> {
        let mut list = Vec::new();
        for item in &self.field.values {
            if item.bracketed {
                list.push(item.text.as_str());
            } else if !item.text.is_empty() {
                list.extend(item.text.split(','));
            }
        }
        list
    }
}

macro_rules! scalars {
    ($reader:ident: $($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
            $reader(self.single()?, visitor)
        }
    )+};
}

/// How one piece of text is read as each type, alone or in a list.
macro_rules! text_readers {
    () => {
        scalars! { whole_number: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 }
        scalars! { number: deserialize_f32 deserialize_f64 }
        scalars! { boolean: deserialize_bool }
        scalars! { text: deserialize_str deserialize_string deserialize_char deserialize_identifier }

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            name: &'static str,
            variants: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, QueryError> {
            let text: StrDeserializer<'_, QueryError> = self.single()?.into_deserializer();
            text.deserialize_enum(name, variants, visitor)
        }

        fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
            visitor.visit_some(self)
        }

        fn deserialize_newtype_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            visitor: V,
        ) -> Result<V::Value, QueryError> {
            visitor.visit_newtype_struct(self)
        }
    };
}

fn whole_number<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, QueryError> {
    if !text.starts_with('+') {
        if let Ok(number) = text.parse() {
            return visitor.visit_i64(number);
        }
        if let Ok(number) = text.parse() {
            return visitor.visit_u64(number);
        }
    }
    Err(QueryError(format!("must be a whole number, is {}", quoted(text))))
}

fn number<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, QueryError> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => visitor.visit_f64(number),
        _ => Err(QueryError(format!("must be a number, is {}", quoted(text)))),
    }
}

fn boolean<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, QueryError> {
    match text {
        "true" => visitor.visit_bool(true),
        "false" => visitor.visit_bool(false),
        _ => Err(QueryError(format!("must be true or false, is {}", quoted(text)))),
    }
}

fn text<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, QueryError> {
    visitor.visit_str(text)
}

/// What was sent, short enough for a message.
fn quoted(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("`{}...`", text.get(..end).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = QueryError;

    text_readers!();

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        match self.field.values.as_slice() {
            [item] if !item.bracketed => visitor.visit_str(&item.text),
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        visitor.visit_seq(Items(self.list().into_iter()))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        self.unknown.borrow_mut().push(self.field.name.clone());
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i128 u128 bytes byte_buf unit unit_struct tuple tuple_struct map struct }
}

struct Items<'a>(std::vec::IntoIter<&'a str>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = QueryError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, QueryError> {
        self.0.next().map(|text| seed.deserialize(Text(text))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// One element of a list.
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn single(&self) -> Result<&'a str, QueryError> {
        Ok(self.0)
    }
}

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = QueryError;

    text_readers!();

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, QueryError> {
        visitor.visit_str(self.0)
    }

    forward_to_deserialize_any! {
        i128 u128 bytes byte_buf unit unit_struct seq tuple tuple_struct map struct ignored_any
    }
}

/// For a field that a filter body may hold as one text or as a list, and that a query holds in any of its forms:
/// `#[serde(default, deserialize_with = "one_or_many")]`. A single text is split at commas in both.
///
/// # Errors
/// When an element is not a `T`.
pub fn one_or_many<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text or a list of texts")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    let texts = match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) if text.is_empty() => Vec::new(),
        OneOrMany::One(text) => text.split(',').map(str::to_owned).collect(),
        OneOrMany::Many(texts) => texts,
    };
    texts.iter().map(|text| T::deserialize(Text(text)).map_err(de::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use palaver_domain::ChannelId;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase")]
    enum Status {
        Draft,
        PreDraft,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase")]
    struct Filter {
        #[serde(default)]
        status: Vec<Status>,
        #[serde(default)]
        channel_ids: Vec<ChannelId>,
        promoted: Option<bool>,
        limit: Option<u8>,
        search: Option<String>,
        since: Option<chrono::DateTime<chrono::Utc>>,
    }

    fn parse(query: &str) -> Result<Filter, String> {
        Query::parse(query).map_err(|error| error.message)
    }

    #[test]
    fn a_list_may_be_written_in_every_form() {
        for query in [
            "status=draft&status=preDraft",
            "status[]=draft&status[]=preDraft",
            "status[1]=preDraft&status[0]=draft",
            "status%5B%5D=draft&status%5B%5D=preDraft",
            "status=draft,preDraft",
            "accesstoken=x&status=draft%2CpreDraft&offset=3",
        ] {
            assert_eq!(parse(query).unwrap().status, [Status::Draft, Status::PreDraft], "{query}");
        }
        assert!(parse("status=").unwrap().status.is_empty());
        assert!(parse("").unwrap().status.is_empty());
    }

    #[test]
    fn scalars_are_read_strictly_and_the_message_names_the_parameter() {
        let filter = parse("promoted=true&limit=7&search=a%2Cb+c&since=2024-03-01T10:00:00Z").unwrap();
        assert_eq!((filter.promoted, filter.limit, filter.search.as_deref()), (Some(true), Some(7), Some("a,b c")));
        assert_eq!(filter.since.unwrap().timestamp(), 1_709_287_200);
        for (query, message) in [
            ("promoted=yes", "query parameter `promoted`: must be true or false, is `yes`"),
            ("promoted=", "query parameter `promoted`: must be true or false, is ``"),
            ("limit=%2B7", "query parameter `limit`: must be a whole number, is `+7`"),
            ("limit=7&limit=8", "query parameter `limit`: takes one value"),
            ("limit=300", "query parameter `limit`: invalid value: integer `300`, expected u8"),
            ("limit=-1", "query parameter `limit`: invalid value: integer `-1`, expected u8"),
            ("status=gone", "query parameter `status`: unknown variant `gone`, expected `draft` or `preDraft`"),
            ("channelIds=abc", "query parameter `channelIds`: an id is 24 lower-case hex digits"),
            ("statsu=draft", "query parameter `statsu` is not known here"),
            ("status[x]=draft", "query parameter `status[x]` is not known here"),
            ("search=a%00b", "query parameter `search` holds the character U+0000"),
        ] {
            assert_eq!(parse(query).unwrap_err(), message);
        }
        let many = |names: usize| (0..names).map(|n| format!("p{n}=&p{n}=")).collect::<Vec<_>>().join("&");
        assert_eq!(parse(&many(200)).unwrap_err(), "query parameter `p0` is not known here");
        assert_eq!(parse(&many(201)).unwrap_err(), "the query has more than 200 different parameters");
        assert!(parse("since=yesterday").unwrap_err().starts_with("query parameter `since`: "));
    }

    #[test]
    fn a_filter_body_may_hold_one_text_or_a_list() {
        #[derive(Debug, Deserialize)]
        struct Body {
            #[serde(default, deserialize_with = "one_or_many")]
            status: Vec<Status>,
        }
        for body in [r#"{"status":"draft,preDraft"}"#, r#"{"status":["draft","preDraft"]}"#] {
            let body: Body = serde_json::from_str(body).unwrap();
            assert_eq!(body.status, [Status::Draft, Status::PreDraft]);
        }
        for query in ["status=draft,preDraft", "status=draft&status=preDraft", "status[]=draft&status[]=preDraft"] {
            assert_eq!(Query::<Body>::parse(query).unwrap().status, [Status::Draft, Status::PreDraft], "{query}");
        }
        assert!(serde_json::from_str::<Body>(r#"{"status":7}"#).is_err());
    }
}
